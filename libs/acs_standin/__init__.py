"""A local Azure Communication Services: dials the gateway as ACS does."""
