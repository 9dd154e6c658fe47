"""Files of Hugging Face repositories, downloaded, verified and uploaded by huggingface_hub. No code is executed.

HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN and HF_HUB_OFFLINE have the same meaning as for huggingface_hub;
TIEPOINT_OFFLINE=1 restricts access to the local cache.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import TypedDict, Unpack

from tiepoint.errors import InvalidInput, TiepointError, WeightsError
from tiepoint.io.hashing import file_digest
from tiepoint.io.messages import first_line
from tiepoint.weights.resolution import offline

DEFAULT_REVISION = "main"
"""Branch that huggingface_hub uses if no revision is given."""


class HubError(WeightsError, OSError):
    """A file of a model cannot be found or downloaded; also an OSError, which is what transformers raises."""


class InvalidName(InvalidInput, OSError):
    """A name is neither a folder nor a repository; also an OSError, which is what transformers raises."""


class HubOptions(TypedDict, total=False):
    """Keyword options of every `from_pretrained`.

    Attributes:
        revision: Branch, tag or commit of the repository; None means the main branch.
        token: Access token for private repositories; None uses the token stored by `hf auth login`, False none.
        cache_dir: Cache directory; None uses huggingface_hub's default.
        local_files_only: Use only local files and the cache; TIEPOINT_OFFLINE=1 has the same effect.
        force_download: Download again what is in the cache.
        subfolder: Folder within the repository or local folder.
    """

    revision: str | None
    token: str | bool | None
    cache_dir: str | os.PathLike[str] | None
    local_files_only: bool
    force_download: bool
    subfolder: str


class PushOptions(TypedDict, total=False):
    """Keyword options of every `push_to_hub`.

    Attributes:
        token: Access token with write permission; None uses the token stored by `hf auth login`.
        private: Whether a new repository is private; None uses the default of the owner's account.
        revision: Existing branch to upload to; None means the main branch.
        commit_message: Commit message; None uses huggingface_hub's default.
        commit_description: Description of the commit.
        create_pr: Open a pull request with the commit.
    """

    token: str | bool | None
    private: bool | None
    revision: str | None
    commit_message: str | None
    commit_description: str | None
    create_pr: bool


def fetch(name_or_folder: str | os.PathLike[str], filename: str, **options: Unpack[HubOptions]) -> Path:
    """Return the path of a model file: in a local folder, in huggingface_hub's cache, or downloaded from the hub.

    Args:
        name_or_folder: Local folder, or repository name "owner/name".
        filename: Path of the file within the folder or repository.
        **options: Options of `HubOptions`.

    Returns:
        Path of the file. The digest of a downloaded file is verified.

    Raises:
        InvalidInput: If the name is neither a local folder nor a valid repository name.
        WeightsError: If the file, repository or revision does not exist, the hub cannot be reached, or the
            downloaded file is corrupted.
    """
    folder = Path(name_or_folder).expanduser()
    if folder.is_dir():
        return _find_in_folder(folder / (options.get("subfolder") or ""), filename)
    path = _download(str(name_or_folder), filename, options)
    _verify_digest(path, f"{filename} of {str(name_or_folder)!r}")
    return path


def push_folder(folder: str | os.PathLike[str], repo_id: str, **options: Unpack[PushOptions]) -> str:
    """Upload all files of a folder to a repository; a missing repository is created.

    Args:
        folder: Folder written by `save_pretrained`.
        repo_id: Repository name "owner/name", or "name" for the token's owner.
        **options: Options of `PushOptions`.

    Returns:
        URL of the commit.

    Raises:
        InvalidInput: If the folder does not exist or the repository name is invalid.
        WeightsError: If downloads are disabled, or the hub cannot be reached or rejects the upload.
    """
    from huggingface_hub import HfApi

    if not Path(folder).is_dir():
        raise InvalidInput(f"{str(folder)!r} is not a folder; pass a folder written by save_pretrained")
    if offline():
        raise HubError(f"cannot push to {repo_id!r}: TIEPOINT_OFFLINE is set; unset it")
    hub = HfApi(endpoint=_endpoint(), token=options.get("token"))
    revision = options.get("revision")
    try:
        repository = hub.create_repo(repo_id, private=options.get("private"), exist_ok=True).repo_id
        commit = hub.upload_folder(
            repo_id=repository,
            folder_path=str(folder),
            revision=revision,
            commit_message=options.get("commit_message"),
            commit_description=options.get("commit_description"),
            create_pr=options.get("create_pr"),
        )
    except Exception as error:  # the HTTP library of huggingface_hub depends on its version
        raise _translate_error(error, repo_id, "", revision, only_local=False) from error
    return str(commit.commit_url)


def _find_in_folder(folder: Path, filename: str) -> Path:
    path = folder / filename
    if path.is_file():
        return path
    if not folder.is_dir():
        raise HubError(f"{folder} is not a folder; check subfolder")
    names = ", ".join(sorted(entry.name for entry in folder.iterdir())[:10]) or "nothing"
    raise HubError(
        f"{filename} not found in folder {folder}, which contains {names}; pass a folder written by save_pretrained"
    )


def _download(name: str, filename: str, options: HubOptions) -> Path:
    from huggingface_hub import hf_hub_download

    revision, cache_dir = options.get("revision"), options.get("cache_dir")
    only_local = options.get("local_files_only") or offline()
    try:
        path = hf_hub_download(
            name,
            filename,
            subfolder=options.get("subfolder") or None,
            force_download=options.get("force_download") or False,
            revision=revision,
            token=options.get("token"),
            cache_dir=None if cache_dir is None else str(cache_dir),
            local_files_only=only_local,
            endpoint=_endpoint(),
            library_name="tiepoint",
        )
    except Exception as error:  # the HTTP library of huggingface_hub depends on its version
        raise _translate_error(error, name, filename, revision, only_local) from error
    return Path(path)


def _endpoint() -> str | None:
    """Return the current HF_ENDPOINT; huggingface_hub reads it only once, at import."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def _translate_error(
    error: Exception, name: str, filename: str, revision: str | None, only_local: bool
) -> TiepointError:
    """Turn an error of huggingface_hub into a message of one line that says what to do."""
    from huggingface_hub import errors

    if isinstance(error, errors.HFValidationError):
        return InvalidName(
            f"{name!r} is neither a local folder nor a valid repository name (owner/name); check the path or the name"
        )
    if isinstance(error, errors.LocalEntryNotFoundError):
        return _not_cached_error(error, name, filename, only_local)
    for kind, message in _http_errors(name, filename, revision or DEFAULT_REVISION):
        if isinstance(error, kind):
            return HubError(message)
    task = f"cannot download {filename} of {name!r}" if filename else f"cannot push to {name!r}"
    return HubError(f"{task} ({_reason(error)}); check the network and the token, then try again")


def _http_errors(name: str, filename: str, revision: str) -> list[tuple[type[Exception], str]]:
    """Return the errors of huggingface_hub and their messages, subclasses before their bases."""
    from huggingface_hub import errors

    return [
        (
            errors.GatedRepoError,
            f"access to {name!r} is restricted; request access on its page, then pass token=",
        ),
        (
            errors.RepositoryNotFoundError,
            f"{name!r} is neither a local folder nor an accessible repository; "
            "check the name, and pass token= if it is private",
        ),
        (
            errors.RevisionNotFoundError,
            f"{name!r} has no revision {revision!r}; pass an existing branch, tag or commit, or omit revision",
        ),
        (
            errors.EntryNotFoundError,
            f"{filename} not found in {name!r} at revision {revision!r}; is this a repository of such a model?",
        ),
    ]


def _not_cached_error(error: Exception, name: str, filename: str, only_local: bool) -> WeightsError:
    if only_local:
        option = "TIEPOINT_OFFLINE" if offline() else "local_files_only"
        return HubError(
            f"{filename} of {name!r} is neither in a local folder nor in the cache, and {option} disables downloads; "
            f"download it once without {option}, or pass a local folder"
        )
    cause = error.__cause__ or error
    return HubError(
        f"{filename} of {name!r} is not in the cache and the hub cannot be reached ({_reason(cause)}); "
        "check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or pass a local folder"
    )


def _reason(error: BaseException) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    reason = first_line(error).rstrip(":")
    return reason if status is None or str(status) in reason else f"HTTP {status} {reason}"


def _verify_digest(path: Path, name: str) -> None:
    """Compare the digest of a cached file with its name in the cache, which is the digest announced by the hub.

    huggingface_hub itself checks only the size. Large files have a SHA-256, small files the SHA-1 of a git blob.
    Without symbolic links (on some file systems) the cache does not keep the digest.
    """
    blob = path.readlink() if path.is_symlink() else path
    digest_functions = {64: file_digest, 40: _git_blob_digest}
    announced = blob.name if re.fullmatch(r"[0-9a-f]+", blob.name) else ""
    if len(announced) not in digest_functions or digest_functions[len(announced)](path) == announced:
        return
    path.resolve().unlink()
    path.unlink()
    raise HubError(
        f"{name} is corrupted: its digest differs from the one announced by the hub; "
        "it was removed from the cache, try again"
    )


def _git_blob_digest(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
