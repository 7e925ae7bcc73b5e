"""A shell in which ``bgpmon`` is at hand and finds the demo."""

import asyncio
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path as FilePath

HANG_UP_SECONDS = 3.0
"""How long a shell has to leave when the demo ends before it does."""


def program_folder() -> FilePath:
    """Return where the ``bgpmon`` is that runs now; else where this Python's programs are."""
    called = FilePath(sys.argv[0])
    if called.name == "bgpmon" and (found := shutil.which(str(called))):
        return FilePath(found).absolute().parent
    return FilePath(sys.executable).parent


async def shell(run_dir: FilePath, folder: FilePath) -> None:
    """Open a shell on the terminal and return when it is left; *folder* takes its settings.

    When cancelled, the shell is told to leave as if its terminal were gone.
    """
    path = f"{program_folder()}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**os.environ, "PATH": path, "BGPMON_RUN_DIR": str(run_dir), "PS1": "demo$ "}
    process = await asyncio.create_subprocess_exec(*_command(path, run_dir, folder), env=environment)
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            await _leave(process)


def _command(path: str, run_dir: FilePath, folder: FilePath) -> list[str]:
    """Return bash with settings of ours after the user's own, or plain sh where there is no bash."""
    if shutil.which("bash") is None:
        return ["sh", "-i"]
    settings = folder / "bashrc"
    settings.write_text(
        "[ -f ~/.bashrc ] && . ~/.bashrc\n"
        f"export PATH={shlex.quote(path)} BGPMON_RUN_DIR={shlex.quote(str(run_dir))}\n"
        'PS1="\\[\\e[1m\\]demo\\[\\e[0m\\]:\\w\\$ "\n'
    )
    return ["bash", "--rcfile", str(settings), "-i"]


async def _leave(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGHUP)
    try:
        async with asyncio.timeout(HANG_UP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
