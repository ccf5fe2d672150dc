"""Mutations of Python source: each changes one place of one function or table in a way a reader might get wrong."""

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, TypeVar

ALWAYS_ALLOWED: Final = "service.fulfil"
DOOR: Final = frozenset({"permits", "opens", "attributes", "words"})
"""Calls that ask whether data may be used."""

_COMPARED: Final[Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_CALLED: Final = {"any": "all", "all": "any", "max": "min", "min": "max"}

_BOUNDS: Final = 100
"""A number from here on is a bound somebody chose, and one more of it is no other decision."""

_ENTRY: Final = "entry"
_WORDING: Final = frozenset({"data", "dpv"})
"""What a purpose says of itself to people."""

E = TypeVar("E")


class Mutation(NamedTuple):
    """One change: in which function or table, of what kind, and the changed place in source before and after.

    `node` and `way` find it again in the same source.
    """

    scope: str
    kind: str
    before: str
    after: str
    node: int
    way: int

    @property
    def name(self) -> str:
        """The change in words; line numbers play no part, so it stays the same while other lines move."""
        if self.kind.startswith(_ENTRY):
            return f"{self.scope}: {self.kind}"
        return f"{self.scope}: {self.before} -> {self.after} ({self.kind})"


def mutations(source: str, *, scopes: Callable[[str], bool]) -> list[Mutation]:
    """Every mutation of the functions and tables whose name `scopes` takes, in the order of the source."""
    tree = ast.parse(source)
    nodes = {id(node): number for number, node in enumerate(ast.walk(tree))}
    found: dict[str, Mutation] = {}
    for scope, top in _scopes(tree):
        if not scopes(scope):
            continue
        for node in _inside(top):
            for way, (kind, changed) in enumerate(_ways(node, in_table=isinstance(top, ast.AnnAssign))):
                shown = Mutation(scope, kind, _said(node), _said(changed), nodes[id(node)], way)
                found.setdefault(shown.name, shown)
    return list(found.values())


def mutated(source: str, mutation: Mutation) -> ast.Module:
    """The source as it is after the mutation."""
    tree = ast.parse(source)
    target = list(ast.walk(tree))[mutation.node]
    tables = {scope for scope, top in _scopes(tree) if isinstance(top, ast.AnnAssign)}
    _, changed = list(_ways(target, in_table=mutation.scope in tables))[mutation.way]
    whole = _Replaced(target, changed).visit(tree)
    assert isinstance(whole, ast.Module)
    return ast.fix_missing_locations(whole)


def scopes_of(source: str) -> set[str]:
    """Every name that `mutations` may ask `scopes` about."""
    return {scope for scope, _ in _scopes(ast.parse(source))}


def lines_of(source: str, mutation: Mutation) -> range:
    """The lines of the innermost statement that is changed; of one with a body those before it."""
    tree = ast.parse(source)
    target = list(ast.walk(tree))[mutation.node]
    *_, statement = (node for node in ast.walk(tree) if isinstance(node, ast.stmt) and target in ast.walk(node))
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(last, statement.lineno) + 1)


def asks_the_door(source: str) -> set[str]:
    """The functions of the source in which the door is asked."""
    if not any(f"{name}(" in source for name in DOOR):
        return set()
    return {
        scope
        for scope, top in _scopes(ast.parse(source))
        if not isinstance(top, ast.AnnAssign)
        for node in ast.walk(top)
        if _is_asking(node)
    }


def _is_asking(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    names = {word.arg for word in node.keywords}
    return _called(node) in DOOR and bool(names & {"known_at", "received_at"})


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _scopes(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Functions by name, methods by class and name, tables by the name they are given."""
    for top in tree.body:
        if isinstance(top, ast.FunctionDef | ast.AsyncFunctionDef):
            yield top.name, top
        elif isinstance(top, ast.ClassDef):
            methods = (each for each in top.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
            yield from ((f"{top.name}.{each.name}", each) for each in methods)
        elif isinstance(top, ast.AnnAssign) and isinstance(top.target, ast.Name):
            yield top.target.id, top


def _inside(top: ast.AST) -> Iterator[ast.AST]:
    """What decides: the body of a function, the value of a table; no annotations, defaults, decorators or wording."""
    parts = top.body if isinstance(top, ast.FunctionDef | ast.AsyncFunctionDef) else [getattr(top, "value", None)]
    waiting: list[ast.AST] = [part for part in parts if part is not None]
    while waiting:
        node = waiting.pop(0)
        yield node
        if isinstance(node, ast.keyword) and node.arg in _WORDING:
            continue
        if isinstance(node, ast.AnnAssign):
            waiting += [] if node.value is None else [node.value]
        else:
            waiting += [] if isinstance(node, ast.Raise | ast.JoinedStr) else ast.iter_child_nodes(node)


def _ways(node: ast.AST, *, in_table: bool) -> Iterator[tuple[str, ast.AST]]:
    """What may be put in a node's place, and what kind of mistake that is."""
    yield from _other_conditions(node)
    yield from _other_values(node)
    if in_table or isinstance(node, ast.Set):
        yield from _fewer_entries(node)
    if isinstance(node, ast.Call):
        yield from _other_calls(node)


def _other_conditions(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Compare(ops=[operator]):
            for other in _COMPARED[type(operator)]:
                yield "comparison", ast.Compare(node.left, [other()], node.comparators)
        case ast.BoolOp():
            yield "and for or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            for at in range(len(node.values)):
                rest = _but(node.values, at)
                yield "condition left out", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.UnaryOp(op=ast.Not()):
            yield "not left out", node.operand
        case ast.If() | ast.IfExp():
            yield "never", _with_test(node, value=False)
            yield "always", _with_test(node, value=True)
        case ast.comprehension(ifs=[_, *_]):
            yield "filter left out", ast.comprehension(node.target, node.iter, [], node.is_async)


def _other_values(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Constant(value=bool(was)):
            yield "constant", ast.Constant(not was)
        case ast.Constant(value=int(number)) if number < _BOUNDS:
            yield "constant", ast.Constant(number + 1)
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            yield "sum", ast.BinOp(node.left, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.right)


def _fewer_entries(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Tuple() | ast.Set():
            for at, element in enumerate(node.elts):
                rest = _but(node.elts, at)
                less = ast.Tuple(rest, node.ctx) if isinstance(node, ast.Tuple) else ast.Set(rest)
                yield f"{_ENTRY} {_said(element)} left out", less
        case ast.Dict():
            for at, key in enumerate(node.keys):
                named = "another table" if key is None else _said(key)
                yield f"{_ENTRY} {named} left out", ast.Dict(_but(node.keys, at), _but(node.values, at))


def _with_test(node: ast.If | ast.IfExp, *, value: bool) -> ast.AST:
    test = ast.Constant(value)
    if isinstance(node, ast.IfExp):
        return ast.IfExp(test, node.body, node.orelse)
    return ast.If(test, node.body, node.orelse)


def _but(elements: list[E], at: int) -> list[E]:
    return elements[:at] + elements[at + 1 :]


def _other_calls(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    name = _called(node)
    if isinstance(node.func, ast.Name) and name in _CALLED:
        yield "other call", ast.Call(ast.Name(_CALLED[name], ast.Load()), node.args, node.keywords)
    if name == "Refused" and len(node.args) == 2:
        yield "refusal that allows", _call("Allowed", _call("Because", basis=ast.Constant("consent")))
    if _is_asking(node) and name == "opens":
        yield "the door stands open", ast.Constant(value=True)
    elif _is_asking(node) and node.args:
        asked = [*node.args[:-1], ast.Constant(ALWAYS_ALLOWED)]
        yield "another purpose is asked", ast.Call(node.func, asked, node.keywords)


def _call(name: str, *args: ast.expr, **words: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [ast.keyword(word, said) for word, said in words.items()])


def _said(node: ast.AST) -> str:
    """The first line of a place as it is written."""
    text = f"if {ast.unparse(node.test)}" if isinstance(node, ast.If) else ast.unparse(node)
    return text if len(text) <= 100 else f"{text[:97]}..."


class _Replaced(ast.NodeTransformer):
    def __init__(self, target: ast.AST, changed: ast.AST) -> None:
        self._target, self._changed = target, changed

    def visit(self, node: ast.AST) -> ast.AST:
        """Put the one in the other's place."""
        return self._changed if node is self._target else self.generic_visit(node)
