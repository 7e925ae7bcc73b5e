"""What a source that only hears cannot do is refused when the file is checked, not when it would be needed."""

from tests.unit.monitor.config.files import BMP, DOMAIN, config_of, problems_of


def said(text: str) -> dict[str, tuple[str, str]]:
    """What is wrong with *text*, by key: message and hint."""
    return {problem.key: (problem.message, problem.hint) for problem in problems_of(text)}


def test_teardown_needs_a_source_that_takes_orders() -> None:
    limit = "    peer_limit: {{ipv4: {{paths: 5, action: {}}}}}\n"
    key = "domains.storage.peer_limit.ipv4.action"
    assert said(BMP + limit.format("teardown"))[key] == ("a BMP source cannot shut a session", "use freeze or warn")
    for action in ("freeze", "warn"):
        assert said(BMP + limit.format(action)) == {}


def test_conditions_about_rpki_need_a_source_that_tells_it() -> None:
    policy = "[{deny: {rpki: invalid}}, {accept: {rpki: valid}}, {accept: any}]"
    found = said(BMP.replace("[{accept: any}]", policy))
    for key in ("domains.storage.import[0].deny.rpki", "domains.storage.import[1].accept.rpki"):
        assert found[key][0] == "a BMP source does not tell RPKI states"
    assert config_of(BMP).warnings == ()


def test_authentication_needs_a_source_that_tells_it() -> None:
    assert said(BMP + "    require_auth: true\n") == {
        "domains.storage.require_auth": (
            "a BMP source does not tell whether sessions are authenticated",
            "remove it, or use gobgpd's gRPC API as the source",
        )
    }
    assert said(BMP + "    require_auth: false\n") == {}


def test_over_grpc_all_of_it_is_fine() -> None:
    rpki = DOMAIN.replace("[{accept: any}]", "[{accept: {rpki: valid}}]")
    assert rpki != DOMAIN
    assert said(rpki + "    peer_limit: {ipv4: {paths: 5, action: teardown}}\n    require_auth: true\n") == {}
