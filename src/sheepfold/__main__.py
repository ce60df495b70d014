"""`python -m sheepfold` is the command line."""

from sheepfold.cli.main import main

main()
