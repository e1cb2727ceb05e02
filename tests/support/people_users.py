"""Customers of the form site written as Locust users: what `python:` in a scenario names."""

from __future__ import annotations

import re
from typing import Any

from locust import FastHttpUser, HttpUser, task

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class Buyer(FastHttpUser):
    """A whole journey: one task a step of the walk."""

    csrf = basket_id = ""

    def on_stop(self) -> None:
        self.client.get("/banner.css", name="gone")  # as a log-out would

    def _person(self) -> int:
        customer: Any = self.gameday
        return int(customer.session) % 40 + 1

    def sign_in(self) -> None:
        number = self._person()
        token = _CSRF.search(self.client.get("/login").text)[1]
        form = {
            "csrf": token,
            "email": f"person{number:02d}@example.org",
            "password": f"secret-{number:02d}+&",
        }
        self.client.post("/login", form)

    def product(self) -> None:
        page = self.client.get("/product/book-1", name="/product/[id]")
        self.csrf = _CSRF.search(page.text)[1]

    def basket(self) -> None:
        form = {"csrf": self.csrf, "product": "book-1", "quantity": "1"}
        page = self.client.post("/basket", form)
        self.basket_id = re.search(r"Basket (\w+)", page.text)[1]
        self.csrf = _CSRF.search(page.text)[1]

    def checkout(self) -> None:
        form = {"csrf": self.csrf, "delivery": "standard"}
        key = f"by-hand-{self.gameday.session}"
        self.client.post(
            f"/basket/{self.basket_id}/order",
            form,
            name="/basket/[id]/order",
            headers={"Idempotency-Key": key},
        )


class Stranger(HttpUser):
    """One step: its tasks, once each and in order."""

    @task
    def first(self) -> None:
        self.client.get("/banner.css")

    @task
    def second(self) -> None:
        with self.client.get("/login", catch_response=True) as reply:
            if "csrf" not in reply.text:
                reply.failure("no token")


class Lost(HttpUser):
    """Asks for what it may not have, and leaves for elsewhere."""

    @task
    def away(self) -> None:
        self.client.get("http://192.0.2.1/")
