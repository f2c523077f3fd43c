import os
import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from lalelu.config.loader import check_file

SCRIPTS = (
    "packaging/deb.sh",
    "packaging/postinst",
    "packaging/prerm",
    "packaging/postrm",
    "systemd/service.sh",
)
PIN = re.compile(r"(?P<name>[a-z0-9.-]+)==(?P<version>[^ ]+)(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n")


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_shell_can_read_a_script(name, project):
    done = subprocess.run(["sh", "-n", project / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_packages_facts_are_all_filled_in_and_its_configuration_is_the_administrators(project):
    control = (project / "packaging/control.in").read_text(encoding="utf-8")
    script = (project / "packaging/deb.sh").read_text(encoding="utf-8")
    filled = set(re.findall(r"s\|(@[A-Z]+@)\|", script))
    assert set(re.findall(r"@[A-Z]+@", control)) == filled
    fields = dict(
        line.split(": ", 1) for line in control.splitlines() if re.match(r"[A-Z][A-Za-z-]+: ", line)
    )
    assert {"Package", "Version", "Architecture", "Maintainer", "Description"} <= set(fields)
    # what is compiled for one Python runs on no other
    assert {"python3 (>= @PYTHON@)", "python3 (<< @NEXT@)"} <= set(fields["Depends"].split(", "))
    assert "echo /etc/lalelu/lalelu.yaml >" in script


def test_installing_makes_the_user_then_its_folders_and_enables_the_service(project, tmp_path):
    log, stubs = tmp_path / "log", tmp_path / "bin"
    stubs.mkdir()
    for name in ("deb-systemd-helper", "systemd-sysusers", "systemd-tmpfiles", "systemctl", "udevadm"):
        (stubs / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{log}\n')
        (stubs / name).chmod(0o755)
    environment = {"PATH": f"{stubs}:{os.environ['PATH']}"}
    subprocess.run(["sh", project / "packaging/postinst", "configure"], check=True, env=environment)
    assert log.read_text().splitlines()[:5] == [
        "systemd-sysusers lalelu.conf",
        "systemd-tmpfiles --create lalelu.conf",
        "deb-systemd-helper unmask lalelu.service",
        "deb-systemd-helper --quiet was-enabled lalelu.service",
        "deb-systemd-helper enable lalelu.service",
    ]
    assert [
        line for line in log.read_text().splitlines() if " start " in line and "--no-block" not in line
    ] == []


@pytest.mark.parametrize(("name", "of"), [("service.txt", "project"), ("build.txt", "build")])
def test_every_release_that_a_service_installs_is_pinned_by_hash_and_fits_what_lalelu_asks_for(
    name, of, project
):
    text = (project / "requirements" / name).read_text(encoding="utf-8")
    pins = {found["name"]: found["version"] for found in PIN.finditer(text)}
    assert "".join(found[0] for found in PIN.finditer(text)) == re.sub(
        r"^#.*\n", "", text, flags=re.MULTILINE
    )
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {
        "project": [*about["project"]["dependencies"], *about["project"]["optional-dependencies"]["osc"]],
        "build": about["build-system"]["requires"],
    }[of]
    for requirement in map(Requirement, asked):
        assert pins[requirement.name.lower()] in requirement.specifier, "run tools/pin_requirements.py"


def test_the_configuration_of_a_second_instrument_is_valid_as_the_readme_has_it(project, tmp_path):
    (block,) = re.findall(
        r"```yaml\n(.*?)```", (project / "systemd/README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    path = tmp_path / "left.yaml"
    path.write_text(block)
    assert [str(problem) for problem in check_file(path)] == []
    assert yaml.safe_load(block)["ledger"]["dir"].startswith("/var/lib/lalelu/")
