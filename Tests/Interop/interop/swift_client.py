"""Our client's and recipes' own test bodies, run against Apache's server."""

import re
import subprocess

from .harness import *

FILTERS = ("ConclaveClientTests", "RecipesTests")
# It takes ten, and a build if there is none.
LIMIT_SECONDS = 400


def check():
    with Apache(settings={"tickTime": "500", "maxSessionTimeout": "60000", "extendedTypesEnabled": "true"}) as server:
        command = ["swift", "test"] + [part for name in FILTERS for part in ("--filter", name)]
        command += os.environ.get("INTEROP_SWIFT_OPTIONS", "").split()
        environment = {**os.environ, "CONCLAVE_TEST_SERVERS": server.hosts}
        output = os.path.join(server.folder, "tests.out")
        with open(output, "w") as file:
            process = spawn(command, cwd=os.environ.get("INTEROP_PACKAGE", ROOT), env=environment, stdout=file,
                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            try:
                process.wait(LIMIT_SECONDS)
            except subprocess.TimeoutExpired:
                end_process(process)
                raise Failure(f"swift test does not end within {LIMIT_SECONDS} s; it ended with:\n"
                              + open(output, errors="replace").read()[-6000:])
        output = open(output, errors="replace").read()
        found = re.search(r"Test run with (\d+) tests? .*passed", output)
        lines = [line for line in output.splitlines() if "✘" in line or "error:" in line]
        expect(process.returncode == 0 and found, "swift test failed:\n" + "\n".join(lines[-40:] or [output[-3000:]]))
        expect(int(found.group(1)) > 0, "no test was run")
        # The tests really talked to this server.
        expect(server.zxid() > 100, f"only {server.zxid()} transactions reached Apache's server")
        return f"{found.group(1)} tests, {server.zxid()} transactions at Apache's server"


CHECKS = [("client", "our client's and recipes' tests pass against Apache's server", check)]
