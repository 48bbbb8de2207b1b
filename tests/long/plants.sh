#!/bin/sh
# Plants every bug of tests/long/plants/ and shows that a test catches it; see docs/testing.md.
exec python3 "$(dirname "$0")/plants.py" "$@"
