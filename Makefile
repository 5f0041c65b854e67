# Every target is one command of tools/dev.py, which needs only Python: without make, run `python3 tools/dev.py demo`.
PYTHON ?= python3

help demo test lab lessons bench page site clean:
	@$(PYTHON) tools/dev.py $@ $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help demo test lab lessons bench page site clean
