"""Agents and scenarios: loading, checking, rendering."""
