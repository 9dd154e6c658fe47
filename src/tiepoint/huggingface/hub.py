"""Files of a Hugging Face repository, through huggingface_hub: fetched, verified, pushed. Nothing is executed.

HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN and HF_HUB_OFFLINE mean what they mean to huggingface_hub;
TIEPOINT_OFFLINE=1 allows nothing but what is in the cache already.
"""

import hashlib
import os
import re
from pathlib import Path

from tiepoint.errors import InvalidInput, TiepointError, WeightsError
from tiepoint.weights.cache import digest
from tiepoint.weights.resolution import offline

DEFAULT_REVISION = "main"


def fetch(
    name_or_folder: str | os.PathLike[str],
    filename: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
) -> Path:
    """Find one file of a model: in a local folder, in huggingface_hub's cache, or on the hub.

    Args:
        name_or_folder: a folder on this machine, or a repository, "owner/name".
        filename: its path inside the folder or repository.
        revision: branch, tag or commit of the repository; None: main.
        token: for private repositories; None: the one that `hf auth login` stored; False: none.
        cache_dir: None: huggingface_hub's own.
        local_files_only: don't ask the hub; TIEPOINT_OFFLINE=1 has the same effect.

    Returns:
        The file. One from the hub has the digest that the hub announced for it.

    Raises:
        InvalidInput: neither a folder nor a possible name of a repository.
        WeightsError: the folder, repository or revision lacks the file, or the hub can't be reached, or what
            came is damaged.
    """
    folder = Path(name_or_folder).expanduser()
    if folder.is_dir():
        return _in_folder(folder, filename)
    only_local = local_files_only or offline()
    path = _from_hub(str(name_or_folder), filename, revision, token, cache_dir, only_local)
    _verify(path, f"{filename} of {str(name_or_folder)!r}")
    return path


def push_folder(
    folder: str | os.PathLike[str],
    repo_id: str,
    *,
    token: str | bool | None = None,
    private: bool | None = None,
    revision: str | None = None,
    commit_message: str | None = None,
) -> str:
    """Upload every file of a folder to a repository, which is made where it doesn't exist.

    Args:
        folder: what `save_pretrained` wrote.
        repo_id: "owner/name", or "name" for one's own.
        token: with the right to write; None: the one that `hf auth login` stored.
        private: whether a new repository is hidden from others; None: as the owner's account says.
        revision: an existing branch; None: main.
        commit_message: None: huggingface_hub's own.

    Returns:
        The address of the commit.

    Raises:
        InvalidInput: not a folder, or not a possible name of a repository.
        WeightsError: offline, or the hub can't be reached, or it refuses.
    """
    from huggingface_hub import HfApi

    if not Path(folder).is_dir():
        raise InvalidInput(f"{str(folder)!r} is not a folder; pass the one that save_pretrained wrote")
    if offline():
        raise WeightsError(f"can't push to {repo_id!r}: TIEPOINT_OFFLINE forbids it; unset it")
    hub = HfApi(endpoint=_endpoint(), token=token)
    try:
        repository = hub.create_repo(repo_id, private=private, exist_ok=True).repo_id
        commit = hub.upload_folder(
            repo_id=repository, folder_path=str(folder), revision=revision, commit_message=commit_message
        )
    except Exception as error:  # the HTTP library below huggingface_hub differs from version to version
        raise _explained(error, repo_id, "", revision, only_local=False) from error
    return str(commit.commit_url)


def _in_folder(folder: Path, filename: str) -> Path:
    path = folder / filename
    if path.is_file():
        return path
    names = ", ".join(sorted(entry.name for entry in folder.iterdir())[:10]) or "nothing"
    raise WeightsError(
        f"folder {folder} has no file {filename}, it holds {names}; pass the folder that save_pretrained wrote"
    )


def _from_hub(
    name: str,
    filename: str,
    revision: str | None,
    token: str | bool | None,
    cache_dir: str | os.PathLike[str] | None,
    only_local: bool,
) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        path = hf_hub_download(
            name,
            filename,
            revision=revision,
            token=token,
            cache_dir=None if cache_dir is None else str(cache_dir),
            local_files_only=only_local,
            endpoint=_endpoint(),
            library_name="tiepoint",
        )
    except Exception as error:  # the HTTP library below huggingface_hub differs from version to version
        raise _explained(error, name, filename, revision, only_local) from error
    return Path(path)


def _endpoint() -> str | None:
    """HF_ENDPOINT as it is now; huggingface_hub looks at it only when it is imported."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def _explained(
    error: Exception, name: str, filename: str, revision: str | None, only_local: bool
) -> TiepointError:
    """What went wrong, in one line, with what to do."""
    from huggingface_hub import errors

    if isinstance(error, errors.HFValidationError):
        return InvalidInput(
            f"{name!r} is neither a folder on this machine nor the name of a repository (owner/name); "
            "check the path or the name"
        )
    if isinstance(error, errors.LocalEntryNotFoundError):
        return _not_in_cache(error, name, filename, only_local)
    for kind, reason in _refusals(name, filename, revision or DEFAULT_REVISION):
        if isinstance(error, kind):
            return WeightsError(reason)
    task = f"can't fetch {filename} of {name!r}" if filename else f"can't push to {name!r}"
    return WeightsError(f"{task} ({_one_line(error)}); check the network and the token, then try again")


def _refusals(name: str, filename: str, revision: str) -> list[tuple[type[Exception], str]]:
    """What the hub may say, the special cases first."""
    from huggingface_hub import errors

    return [
        (
            errors.GatedRepoError,
            f"{name!r} is only for those whom its owner lets in; ask on its page, then pass token=",
        ),
        (
            errors.RepositoryNotFoundError,
            f"{name!r} is neither a folder on this machine nor a repository that the hub shows; "
            "check the name, and pass token= if it is private",
        ),
        (
            errors.RevisionNotFoundError,
            f"{name!r} has no revision {revision!r}; pass a branch, tag or commit of it, or leave revision out",
        ),
        (
            errors.EntryNotFoundError,
            f"{name!r} has no file {filename} at revision {revision!r}; is it a repository of such a model?",
        ),
    ]


def _not_in_cache(error: Exception, name: str, filename: str, only_local: bool) -> WeightsError:
    if only_local:
        forbidden = "TIEPOINT_OFFLINE" if offline() else "local_files_only"
        return WeightsError(
            f"{filename} of {name!r} is neither in a folder of that name nor in the cache, and {forbidden} "
            "forbids to download it; fetch it once without, or pass a local folder"
        )
    cause = error.__cause__ or error
    return WeightsError(
        f"{filename} of {name!r} is not in the cache and the hub can't be reached ({_one_line(cause)}); "
        "check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or pass a local folder"
    )


def _one_line(error: BaseException) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(":")
    return reason if status is None or str(status) in reason else f"HTTP {status} {reason}"


def _verify(path: Path, name: str) -> None:
    """Compare a cached file with its name in the cache, which is the digest that the hub announced.

    huggingface_hub itself compares nothing but the size. Large files carry their sha256, small ones the SHA-1 of
    a git blob. Where the file system has no symbolic links the cache doesn't keep the digest.
    """
    blob = path.readlink() if path.is_symlink() else path
    checks = {64: digest, 40: _git_digest}
    announced = blob.name if re.fullmatch(r"[0-9a-f]+", blob.name) else ""
    if len(announced) not in checks or checks[len(announced)](path) == announced:
        return
    path.resolve().unlink()
    path.unlink()
    raise WeightsError(
        f"{name} is damaged: its digest is not the one that the hub announced; it was deleted from the cache, try again"
    )


def _git_digest(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
