"""Generated from the .proto files beside it by protos/generate.py; never edited by hand."""
