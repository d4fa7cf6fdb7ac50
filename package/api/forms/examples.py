"""Examples for /openapi.json; a test sends each of them."""

from typing import Any

ASK: dict[str, Any] = {
    "question": {
        "summary": "A question",
        "value": {"question": "How many orders were paid in May?", "database": "shop"},
    },
    "choices": {
        "summary": "With facts and choices",
        "value": {
            "question": "What is the churn of 2025?",
            "database": "shop",
            "evidence": "A customer has churned after a year without an order.",
            "options": {"approve": True, "seconds": 60, "row_limit": 100},
        },
    },
}
RUN: dict[str, Any] = {
    "query": {"summary": "A query", "value": {"sql": "SELECT COUNT(*) FROM orders", "database": "shop"}},
    "limits": {
        "summary": "With its question and limits",
        "value": {
            "sql": "SELECT paid_on, COUNT(*) FROM orders GROUP BY paid_on",
            "database": "shop",
            "question": "How many orders were paid on each day?",
            "options": {"row_limit": 100, "deadline": 10},
        },
    },
}
CHECK: dict[str, Any] = {
    "statement": {"summary": "A statement", "value": {"sql": "SELECT COUNT(*) FROM orders", "database": "shop"}}
}
_INTERRUPT = "3b0f6c1e5d8a4f7290c4e1b7a6d3f582"
RESUME: dict[str, Any] = {
    "approve": {"summary": "Run the query", "value": {"type": "approve", "interrupt": _INTERRUPT}},
    "edit": {"summary": "Run another one", "value": {"type": "edit", "sql": "SELECT COUNT(*) FROM orders"}},
    "reject": {"summary": "Run nothing", "value": {"type": "reject", "reason": "It counts cancelled orders."}},
    "choice": {"summary": "One of the choices", "value": {"choice": "orders.paid_on"}},
    "evidence": {"summary": "The meaning in own words", "value": {"evidence": "The day on which it was paid."}},
    "continue": {"summary": "Continue a stopped run", "value": {"type": "continue"}},
}
_SQL = "SELECT COUNT(*) FROM orders WHERE paid_on BETWEEN '2026-05-01' AND '2026-05-31'"
_TURN = {"thread": "9f3c2a7e5b8d4c1f9f3c2a7e5b8d4c1f", "turn": 1, "request_id": "0c9d8b7a6f5e4d3c0c9d8b7a6f5e4d3c"}
ANSWERED: dict[str, Any] = {
    "answer": {
        "summary": "An answer",
        "value": {
            **_TURN,
            "state": "answered",
            "interrupt": None,
            "answer": {
                "sql": _SQL,
                "status": "ok",
                "confidence": 0.93,
                "calibrated": True,
                "doubts": [],
                "columns": ["count"],
                "rows": [[214]],
                "row_count": 1,
                "truncated": False,
                "error": None,
                "notes": [],
                "candidates": [
                    {"agent": "generate", "sql": _SQL, "status": "ok", "error": None, "row_count": 1, "seconds": 0.004}
                ],
                "ledger": [
                    {
                        "node": "generate",
                        "prompt_tokens": 812,
                        "cached_tokens": 700,
                        "completion_tokens": 31,
                        "seconds": 1.9,
                    }
                ],
            },
        },
    },
    "interrupt": {
        "summary": "A query that waits for a person",
        "value": {
            **_TURN,
            "state": "needs_approval",
            "answer": None,
            "interrupt": {"id": _INTERRUPT, "kind": "approve", "sql": _SQL, "database": "shop"},
        },
    },
}
STREAM_EXAMPLE = (
    'event: thread\ndata: {"thread": "9f3c2a7e5b8d4c1f9f3c2a7e5b8d4c1f", "turn": 1, "request_id": "0c9d8b7a6f5e4d3c"}'
    "\n\nevent: story\n"
    'data: {"kind": "begin", "node": "generate", "text": "writing a query", "sql": null, "seconds": 0.1}'
    '\n\nevent: answer\ndata: {"thread": "9f3c2a7e5b8d4c1f9f3c2a7e5b8d4c1f", "turn": 1, "state": "answered"}\n\n'
)
