"""`python -m thce` is `thce`."""

from thce.cli import main

raise SystemExit(main())
