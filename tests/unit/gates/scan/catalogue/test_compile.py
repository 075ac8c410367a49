"""What is generated is current, and a provider's file with a mistake is refused with the place of the mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from aegis.core.errors import UsageError
from aegis.gates.scan.catalogue.compile import HERE, compile_index, read_providers, schema
from aegis.gates.scan.catalogue.generate import generated
from aegis.gates.scan.catalogue.lookup import COMPILED_KEYS
from aegis.gates.scan.catalogue.names import normalise

GENERATED = generated(Path(__file__).parents[5])
GOOD: dict[str, Any] = {
    "provider": "acme",
    "title": "Acme Cloud",
    "as_of": "2026-11-23",
    "sources": [{"url": "https://example.com/sdk", "what": "the SDK"}],
    "surfaces": {"python": {"sdk": ["acme"], "exclude": {"acme.testing": "no client"}}},
}


def write(folder: Path, content: object, name: str = "acme.yaml") -> Path:
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_files_are_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == GENERATED[path], "run: python -m aegis.gates.scan.catalogue.generate"


@pytest.mark.parametrize("path", sorted(HERE.glob("*.yaml")), ids=lambda path: path.name)
def test_each_file_fits_the_published_schema(path: Path) -> None:
    loaded = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))
    jsonschema.validate(loaded, json.loads(schema()), format_checker=jsonschema.FormatChecker())


def test_the_index_holds_what_the_lookup_reads() -> None:
    assert all(compiled.keys() == COMPILED_KEYS for compiled in compile_index(read_providers())["providers"].values())


def test_a_new_provider_is_one_more_file(tmp_path: Path) -> None:
    providers = read_providers(write(tmp_path, GOOD))
    compiled = compile_index(providers)["providers"]["acme"]
    assert compiled["surfaces"] == {"python": {"not": ["acme.testing"], "sdk": ["acme"]}}
    assert compiled["roots"] == ["acme"]


def test_images_are_spelt_as_the_lookup_spells_them() -> None:
    for provider in read_providers().values():
        for literal in provider.surfaces["image"].sdk:
            assert normalise("image", literal) == literal, f"{literal}: its registry would be taken for a mirror"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"provider": "other"}, "its name says 'acme'"),
        ({"provider": "Acme!"}, "provider"),
        ({"as_of": "yesterday"}, "as_of"),
        ({"as_of": None}, "as_of"),
        ({"sources": []}, "sources"),
        ({"sources": [{"url": "http://example.com", "what": "x"}]}, "url"),
        ({"sources": [{"url": "https://example.com", "what": "x", "format": "html"}]}, "format"),
        ({"surfaces": {"pyhton": {"sdk": ["acme"]}}}, "pyhton"),
        ({"surfaces": {"python": {"skd": ["acme"]}}}, "skd"),
        ({"surfaces": {"python": {"sdk": "acme"}}}, "sdk"),
        ({"surfaces": {"python": {"sdk": [""]}}}, "sdk"),
        ({"surfaces": {"python": {"sdk": ["*"]}}}, "sdk"),
        ({"surfaces": {"python": {"sdk": ["a*b"]}}}, "sdk"),
        ({"surfaces": {"python": {"sdk": ["acme"], "stub": ["acme"]}}}, "'acme' is listed twice"),
        ({"surfaces": {"pypi": {"sdk": ["a-b", "A_B"]}}}, "'a-b' is listed twice"),
        ({"surfaces": {"python": {"sdk": ["acme"], "exclude": {"acme": "why"}}}}, "'acme' is listed twice"),
        ({"surfaces": {"python": {"sdk": ["acme"], "exclude": {"acme.x": ""}}}}, "exclude"),
        ({"services": {"names": {"object-store": [], "x": ["objectstore"]}}}, "belongs to both"),
        ({"services": {"templates": {"python": ["acme.x"]}}}, "has no {service}"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_mistake_is_refused_and_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_providers(write(tmp_path, {**GOOD, **change}))
    assert caught.value.code == "scan.catalogue_invalid"
    assert caught.value.problem.startswith("acme.yaml: ")
    assert says in caught.value.problem


@pytest.mark.parametrize(
    "text", ["", "[", "- a", "\x00", "!!python/object:os.system {}", "a: &a [*a]", "provider: acme\nprovider: acme\n"]
)
def test_a_broken_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"acme\.yaml"):
        read_providers(write(tmp_path, text))


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    doubled = yaml.safe_dump(GOOD) + "title: Another\n"
    with pytest.raises(UsageError, match="the key 'title' stands twice"):
        read_providers(write(tmp_path, doubled))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"acme\.yaml"):
        read_providers(tmp_path)
