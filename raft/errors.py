"""Errors that speak to the person: what is wrong, where, and what to do next."""


class RaftError(Exception):
    """Anything that the user can mend; the command line prints it in one line and exits with code 2."""


class InputError(RaftError):
    """A document, question file or argument that cannot be used as it is."""


class ArtifactError(RaftError):
    """An artefact folder that is missing, unfinished, damaged or made from other inputs."""


class ModelError(RaftError):
    """A model or embedder that cannot be found, loaded or used with these inputs."""


class TooLongError(ModelError):
    """A prompt does not fit the context of a model, and nothing is ever cut."""


class LimitError(RaftError):
    """A limit that the user set on calls or cost was reached; what was done until then is kept."""


class MissingExtraError(InputError):
    """An optional dependency is not installed; the message names the pip command."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs an optional part: run `pip install 'raft-tuning[{extra}]'`")
