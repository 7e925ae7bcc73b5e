"""What xterm sends for keys and for the mouse (pure)."""

NAMED = {
    "enter": "\r", "tab": "\t", "escape": "\x1b", "backspace": "\x7f", "space": " ", "shift+tab": "\x1b[Z",
    "ctrl+@": "\0", "ctrl+space": "\0", "ctrl+backslash": "\x1c", "ctrl+]": "\x1d", "ctrl+^": "\x1e", "ctrl+_": "\x1f",
}  # fmt: skip
LETTERS = {"up": "A", "down": "B", "right": "C", "left": "D", "end": "F", "home": "H",
           "f1": "P", "f2": "Q", "f3": "R", "f4": "S"}  # fmt: skip
NUMBERS = {"insert": 2, "delete": 3, "pageup": 5, "pagedown": 6, "f5": 15, "f6": 17, "f7": 18, "f8": 19, "f9": 20,
           "f10": 21, "f11": 23, "f12": 24}  # fmt: skip
MODIFIERS = {"shift": 1, "alt": 2, "ctrl": 4}
BUTTONS = {"left": 0, "middle": 1, "right": 2, "wheel-up": 64, "wheel-down": 65}


def octets_of(key: str, *, application: bool = False) -> bytes:
    """What a key sends; *application* says that a program asked for the application's cursor keys (DECCKM)."""
    if len(key) == 1:
        return key.encode()
    if key in NAMED:
        return NAMED[key].encode()
    *held, name = key.split("+")
    if not set(held) <= MODIFIERS.keys():
        raise ValueError(f"there is no key {key!r}")
    modifier = sum(MODIFIERS[one] for one in held)
    if name in LETTERS:
        if modifier:
            return f"\x1b[1;{modifier + 1}{LETTERS[name]}".encode()
        return f"\x1b{'O' if application or name[0] == 'f' else '['}{LETTERS[name]}".encode()
    if name in NUMBERS:
        return f"\x1b[{NUMBERS[name]}{f';{modifier + 1}' if modifier else ''}~".encode()
    return _modified(key, held, name)


def _modified(key: str, held: list[str], name: str) -> bytes:
    """What a letter, or a key like enter, sends together with alt or ctrl."""
    plain = NAMED.get(name, name)
    if held == ["alt"] and len(plain) == 1:
        return b"\x1b" + plain.encode()
    if held == ["ctrl"] and len(name) == 1 and name.isascii() and name.isalpha():
        return bytes([ord(name) & 0x1F])
    raise ValueError(f"there is no key {key!r}, or it sends nothing of its own")


def mouse(button: str, row: int, column: int, *, pressed: bool) -> bytes:
    """What a button of the mouse sends at a place, counted from 0, in the SGR coordinates of mode 1006."""
    return f"\x1b[<{BUTTONS[button]};{column + 1};{row + 1}{'M' if pressed else 'm'}".encode()
