"""Find the faults of anyone's RAFT training file, each with its row."""

from typing import TYPE_CHECKING

from raft.lazy import lazily

if TYPE_CHECKING:
    from raft.audit.auditing import audit_file

__all__ = ["audit_file"]
__getattr__ = lazily(__name__, dict.fromkeys(__all__, "raft.audit.auditing"))
