"""Constrained quadratic models of dimod: conversion to bits and back, and presolve."""
