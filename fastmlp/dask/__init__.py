"""Fits of rows that are spread over a cluster of Dask."""
