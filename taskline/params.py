"""A function's signature as a frozen, strict model of its params. Whatever has no clear type is refused."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError

from taskline.context import Context
from taskline.errors import DefinitionError
from taskline.files import FILES, File

CONFIG = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class Params:
    """The params of one function: `model` checks them, `context` is the name of the parameter that takes the Context, if there is one."""

    def __init__(self, model: type[BaseModel], context: str | None) -> None:
        self.model = model
        self.context = context

    def check(self, params: str | bytes, files: Mapping[str, File]) -> dict[str, Any]:
        """The arguments that JSON `params` stand for. Raises `pydantic.ValidationError`."""
        # As JSON, not as Python values: strict mode would take no text for a date or a UUID otherwise.
        checked = self.model.model_validate_json(params, context={FILES: files})
        return checked.__dict__


def params_of(function: Callable[..., Any], name: str) -> Params:
    """Read the signature of `function`. Raises `DefinitionError` for what no form or schema could stand for."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise DefinitionError(f"{name}: an annotation cannot be read: {error}") from error
    fields: dict[str, Any] = {}
    context: str | None = None
    for param in inspect.signature(function).parameters.values():
        hint = hints.get(param.name)
        if _bare(hint) is Context:
            if context is not None:
                raise DefinitionError(f"{name}: {context} and {param.name} are both a Context; one is enough")
            context = param.name
            continue
        _refuse_unclear(name, param, hint)
        fields[param.name] = (hint, ... if param.default is param.empty else _checked_default(name, param, hint))
    return Params(_model(name, fields), context)


def _refuse_unclear(name: str, param: inspect.Parameter, hint: Any) -> None:
    if param.kind in (param.VAR_POSITIONAL, param.VAR_KEYWORD):
        raise DefinitionError(f"{name}: {param} takes anything; name each param")
    if param.kind is param.POSITIONAL_ONLY:
        raise DefinitionError(f"{name}: {param.name} is positional-only; params are passed by name")
    if param.name.startswith("_") or (param.name.startswith("model_") and hasattr(BaseModel, param.name)):
        raise DefinitionError(f"{name}: no param can be called {param.name}; choose another name")
    if hint is None:
        raise DefinitionError(f"{name}: {param.name} has no type")
    if _holds_any(hint):
        raise DefinitionError(f"{name}: {param.name} is Any; say what it takes")


def _checked_default(name: str, param: inspect.Parameter, hint: Any) -> Any:
    # An int with the default None is not optional: the type says what is, and the form goes by it.
    try:
        TypeAdapter(hint, config=None if _is_model(hint) else CONFIG).validate_python(param.default)
    except ValidationError as error:
        raise DefinitionError(
            f"{name}: the default of {param.name}, {param.default!r}, does not fit its type: {error.errors()[0]['msg']}"
        ) from error
    except PydanticUserError as error:
        raise DefinitionError(f"{name}: {param.name}: {error.message}") from error
    return param.default


def _model(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    for field, (hint, _) in fields.items():
        if any(getattr(part, "alias", None) for part in get_args(hint) if isinstance(part, type(Field()))):
            raise DefinitionError(f"{name}: {field} has an alias; a param is called what the function calls it")
    try:
        with warnings.catch_warnings():
            # A param may be called `copy` or `schema`; its value is read from the instance, which nothing shadows.
            warnings.simplefilter("ignore", UserWarning)
            return create_model(name, __config__=CONFIG, **fields)
    except PydanticUserError as error:
        raise DefinitionError(f"{name}: {error.message}") from error
    except NameError as error:
        raise DefinitionError(f"{name}: {error}") from error


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _is_model(hint: Any) -> bool:
    bare = _bare(hint)
    return hasattr(bare, "__pydantic_config__") or (isinstance(bare, type) and issubclass(bare, BaseModel))


def _holds_any(hint: Any) -> bool:
    if hint is Any or hint is object:
        return True
    arguments = get_args(hint)
    return any(_holds_any(part) for part in (arguments[:1] if get_origin(hint) is Annotated else arguments))
