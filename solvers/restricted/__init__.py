"""Restricted problems as models, built by compiled code from arrays kept from round to round."""
