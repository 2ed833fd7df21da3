"""Errors of the control plane as `application/problem+json` (RFC 9457), each with what to do.

What was asked is not repeated in them: clients and proxies log answers, and a path may hold anything.
"""

from __future__ import annotations

import http

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from meshkit.logging import get_logger

logger = get_logger("gateway.control")


class Problem(Exception):
    """An answer that is no success. `detail` says what was wrong and what to do."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def problem_response(problem: Problem) -> JSONResponse:
    """The problem as it goes over the wire."""
    body = {
        "type": "about:blank",
        "title": http.HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    return JSONResponse(
        body, problem.status, problem.headers, media_type="application/problem+json"
    )


def answer_problems(app: FastAPI) -> None:
    """Have every error of the app answered as a problem."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, problem: Problem) -> JSONResponse:
        return problem_response(problem)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        detail = (
            f"{request.method} is not served at this path; see the gateway's README for what is."
        )
        return problem_response(Problem(error.status_code, detail, dict(error.headers or {})))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return problem_response(Problem(422, f"The request is not valid: {told}."))

    @app.exception_handler(Exception)
    async def _unforeseen(_: Request, error: Exception) -> JSONResponse:
        logger.error("unforeseen exception", exc_info=error)
        return problem_response(Problem(500, "An internal error was logged; do not retry."))
