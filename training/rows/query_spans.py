"""Tokens of a query with their depth, clauses and names: the places where its text can be edited."""

from dataclasses import dataclass
from functools import cached_property

from sqlglot import Token, TokenType

from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.sql.parsing import parse_query, tokens
from route_sql.tools.sql.scopes import Name, Resolver

SET_OPERATORS = (TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT)
CLAUSES = (
    TokenType.WHERE,
    TokenType.GROUP_BY,
    TokenType.HAVING,
    TokenType.ORDER_BY,
    TokenType.LIMIT,
    *SET_OPERATORS,
)
JOINS = (TokenType.JOIN, TokenType.INNER, TokenType.LEFT, TokenType.CROSS)


@dataclass(frozen=True)
class UsedColumn:
    """A column as a query names it."""

    name: Name
    table: Table
    column: Column
    last: Token
    """The token of its own name, without the qualifier."""

    def qualifier(self, sql: str) -> str:
        """The qualifier before its own name, such as `T1.`; empty if there is none."""
        return sql[self.name.start : self.last.start]


@dataclass(frozen=True)
class ClauseSpan:
    """A clause: its keyword is token `first`, it ends before token `end`."""

    first: int
    end: int


@dataclass(frozen=True)
class QueryText:
    """The text of one query that parses, with its schema."""

    sql: str
    schema: Schema

    @cached_property
    def tokens(self) -> list[Token]:
        """The tokens, empty if the text is not one query."""
        found = tokens(self.sql, self.schema.dialect) or []
        return found if parse_query(self.sql, self.schema.dialect) is not None else []

    @cached_property
    def depths(self) -> list[int]:
        """The number of open brackets around each token; a bracket counts as outside."""
        depth, depths = 0, []
        for token in self.tokens:
            depth -= token.token_type == TokenType.R_PAREN
            depths.append(depth)
            depth += token.token_type == TokenType.L_PAREN
        return depths

    @cached_property
    def columns(self) -> list[UsedColumn]:
        """The columns that the text names."""
        return [
            UsedColumn(name, name.table, name.column, token)
            for name, token in self._names
            if name.table and name.column
        ]

    @cached_property
    def tables(self) -> list[tuple[Table, Token]]:
        """The tables that the text names, with the tokens of their own names."""
        return [(name.table, token) for name, token in self._names if name.table and name.is_table]

    @cached_property
    def _names(self) -> list[tuple[Name, Token]]:
        tree = parse_query(self.sql, self.schema.dialect)
        names = Resolver(tree, self.sql, self.schema).names() if tree is not None else []
        by_end = {token.end: token for token in self.tokens}
        return [(name, by_end[name.end]) for name in names if name.end >= name.start and name.end in by_end]

    def places(self, *kinds: TokenType) -> list[int]:
        """The places of the tokens of some kinds."""
        return [place for place, token in enumerate(self.tokens) if token.token_type in kinds]

    def clause(self, first: int, *also_ends: TokenType) -> ClauseSpan:
        """The clause whose keyword is token `first`."""
        depth = self.depths[first]
        for place in range(first + 1, len(self.tokens)):
            ends = self.tokens[place].token_type in (*CLAUSES, *also_ends) and self.depths[place] == depth
            if ends or self.depths[place] < depth:
                return ClauseSpan(first, place)
        return ClauseSpan(first, len(self.tokens))

    def parts(self, span: ClauseSpan, *separators: TokenType) -> list[ClauseSpan]:
        """The parts of a clause between separators at its own depth; each begins with its separator or keyword."""
        depth, begins, between = self.depths[span.first], [span.first], False
        for place in range(span.first + 1, span.end):
            kind = self.tokens[place].token_type
            if kind == TokenType.BETWEEN:
                between = True
            elif kind in separators and self.depths[place] == depth:
                if between and kind == TokenType.AND:
                    between = False
                else:
                    begins.append(place)
        return [ClauseSpan(first, end) for first, end in zip(begins, [*begins[1:], span.end], strict=True)]

    def without(self, first: int, end: int) -> str:
        """The text without the tokens from `first` up to, not including, `end`."""
        before = self.sql[: self.tokens[first].start].rstrip()
        after = self.sql[self.tokens[end].start :] if end < len(self.tokens) else ""
        joined = not after or after.startswith((")", ",")) or before.endswith("(")
        return f"{before}{'' if joined else ' '}{after}"

    def spliced(self, token: Token, text: str) -> str:
        """The text with one token replaced."""
        return f"{self.sql[: token.start]}{text}{self.sql[token.end + 1 :]}"

    def behind(self, place: int, text: str) -> str:
        """The text with more text after token `place`."""
        end = self.tokens[place].end + 1
        return f"{self.sql[:end]} {text}{self.sql[end:]}"
