"""Reads one section of a document with its pydantic type and says every mistake at its line."""

import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from burstline.client.problems import FieldPath, Problem, allowed, found, unknown_key
from burstline.client.spelling.documents import Document
from burstline.client.spelling.load import PHASE_KEYS, TAG

_KINDS = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_pattern_mismatch": "a date such as 2027-03-01",
}


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def read_section(document: Document, path: FieldPath, annotation: Any, value: object) -> tuple[Any, list[Problem]]:
    """Return the value of a section and no problem, or None and what is wrong with it."""
    try:
        return _adapter(annotation).validate_python(value), []
    except ValidationError as error:
        problems = [_problem(document, path, annotation, detail) for detail in error.errors(include_url=False)]
        return None, problems


def unknown_keys(document: Document, path: FieldPath, value: Mapping[str, Any], known: Iterable[str]) -> list[Problem]:
    """Return a problem for each key of a mapping that is not known."""
    names = list(known)
    return [document.problem((*path, key), unknown_key(key, names), at_key=True) for key in value if key not in names]


def _problem(document: Document, path: FieldPath, annotation: Any, detail: ErrorDetails) -> Problem:
    below = tuple(part for part in detail["loc"] if not (isinstance(part, str) and part.startswith(TAG)))
    where = (*path, *below)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return document.problem(where, _unknown(annotation, detail["loc"]), at_key=True)
    if kind == "missing":
        return document.problem(where, "is missing")
    if kind == "spelling":
        context = detail.get("ctx", {})
        at = str(context["at"])
        return document.problem((*where, at) if at else where, str(context["text"]))
    if kind in _KINDS:
        return document.problem(where, allowed(detail["input"], _KINDS[kind]))
    text = detail["msg"]
    return document.problem(where, f"found {found(detail['input'])}; {text[:1].lower()}{text[1:]}")


def _unknown(annotation: Any, loc: tuple[int | str, ...]) -> str:
    key = str(loc[-1])
    tag = loc[0] if loc and isinstance(loc[0], str) and loc[0].startswith(TAG) else ""
    if tag and len(loc) == 2:
        shape = str(tag).removeprefix(TAG)
        if key in PHASE_KEYS and shape != "none":
            return f"does not go with a phase of kind {shape}"
        return unknown_key(key, PHASE_KEYS)
    return unknown_key(key, _keys(annotation, loc[:-1]))


def _keys(annotation: Any, loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the model at `loc` under an annotation; empty if there is none."""
    for part in loc:
        candidates = _models(annotation)
        if isinstance(part, str) and part.startswith(TAG):
            annotation = next(m for m in candidates if m.__name__.lower() == part.removeprefix(TAG))
        elif candidates:
            field = next((f for name, f in candidates[0].model_fields.items() if (f.alias or name) == part), None)
            annotation = field.annotation if field else None
        else:
            annotation = (*get_args(annotation), None)[1] if get_origin(annotation) is dict else None
    models = _models(annotation)
    return [field.alias or name for name, field in models[0].model_fields.items()] if models else []


def _models(annotation: Any) -> list[type[BaseModel]]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _models(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [model for part in get_args(annotation) for model in _models(part)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
