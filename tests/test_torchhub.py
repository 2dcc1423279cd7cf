"""What counts as a right call of Torch Hub: by all arguments, and by the rules of the questions' own source."""

import importlib.machinery
import importlib.util
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "reproduce_torchhub"


@pytest.fixture(scope="module")
def torchhub() -> Any:
    loader = importlib.machinery.SourceFileLoader("reproduce_torchhub", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("reproduce_torchhub", loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    return module


CALL = "torch.hub.load(repo_or_dir='pytorch/vision', model='resnet18', pretrained=True)"
APIS = [
    ("Image Classification", CALL),
    ("Image Classification", "torch.hub.load('pytorch/vision', model='resnet50', pretrained=True)"),
    ("Speech", "torch.hub.load(repo_or_dir='snakers4/silero-models', model='silero_stt', pretrained=True)"),
]


@pytest.mark.parametrize(
    "text",
    [
        f"Use {CALL}.",
        "torch.hub.load( pretrained = True, model = \"ResNet18\", repo_or_dir='PyTorch/vision' )",
        "torch.hub.load('pytorch/vision', 'resnet18', pretrained=true)",
    ],
)
def test_order_case_quotes_and_names_do_not_matter(torchhub: Any, text: str) -> None:
    assert torchhub.call_of(text) == torchhub.call_of(CALL)


@pytest.mark.parametrize(
    "text",
    [
        "torch.hub.load(repo_or_dir='pytorch/vision', model='resnet18')",
        "torch.hub.load(repo_or_dir='pytorch/vision', model='resnet50', pretrained=True)",
        "torch.hub.load(repo_or_dir='pytorch/vision', model='resnet18', pretrained=True",
        "resnet18",
    ],
)
def test_another_call_or_half_a_call_is_not_the_same(torchhub: Any, text: str) -> None:
    assert torchhub.call_of(text) != torchhub.call_of(CALL)


def test_a_list_in_an_argument_is_one_argument(torchhub: Any) -> None:
    assert torchhub.call_of("torch.hub.load('a/b', model='c', sizes=[1, 2])") == {"'a/b'", "'c'", "sizes=[1,2]"}


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("torch.hub.load('pytorch/vision', 'resnet18')", "Image Classification"),
        ("torch.hub.load('pytorch/vision', model='resnet50', weights=None)", "Image Classification"),
        ("torch.hub.load('snakers4/silero-models', 'silero_stt')", "Speech"),
        ("torch.hub.load('pytorch/vision', 'alexnet')", None),
        ("no call at all", None),
    ],
)
def test_the_looser_rule_asks_for_repository_and_model(torchhub: Any, text: str, domain: str | None) -> None:
    assert torchhub.domain_of(text, APIS) == domain
