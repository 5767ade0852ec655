"""Asking the Hugging Face hub: whether it can be reached, and its refusals in words.

No torch here, and the hub's client on first use: most commands never ask it.
"""

import functools
import socket
import urllib.parse
import urllib.request

CONNECT_SECONDS = 3.0


@functools.cache
def unreachable() -> str | None:
    """Why the hub cannot be asked, found in seconds rather than in the client's retries."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "the hub is switched off by HF_HUB_OFFLINE"
    address = urllib.parse.urlsplit(constants.ENDPOINT)
    if address.scheme in urllib.request.getproxies():
        return None  # only the proxy can tell
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), CONNECT_SECONDS).close()
    except OSError:
        return "the hub is out of reach"
    return None


def refusal(error: Exception, repository: str, revision: str | None) -> str:
    """What an error of the hub's client says, in a part of a sentence.

    Args:
        repository: OWNER/NAME, or datasets/OWNER/NAME.
    """
    from huggingface_hub import constants, errors

    if isinstance(error, errors.GatedRepoError):
        return (
            f"the hub repository {repository} is gated: accept its terms and log in to the hub "
            f"({constants.ENDPOINT}/{repository}, then `hf auth login`, or a token in HF_TOKEN)"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the hub repository {repository} has no revision '{revision}'"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"the hub has no repository {repository}, or it is private"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "the hub is out of reach"
    if isinstance(error, errors.EntryNotFoundError):
        return f"the hub repository {repository} lacks a file that is needed beside its weights"
    answer = getattr(error, "response", None)
    if getattr(answer, "status_code", None) in (401, 403):
        return "the hub refuses the login: repeat `hf auth login`, or correct the token in HF_TOKEN"
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
