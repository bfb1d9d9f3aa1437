# `make` lists what there is. Everything runs on Debian 12 with git, make and a Swift toolchain.

SHELL := /bin/bash
export PATH := $(PATH):/opt/swift/usr/bin

VIFI := .build/release/vifi-prompt
# Where the pocket world's videos are drawn, as the program has it.
VIDEOS := $${VIFI_PROMPT_DATA:-$${XDG_CACHE_HOME:-$$HOME/.cache}/vifi-prompt}/pocket-small
# Where the demo's prompts are exported to, of the newest learn run.
PROMPTS := runs/demo-prompts.safetensors
# The first video of the small data set's test list; `make demo CLIP=my.mp4` takes another.
CLIP = $(VIDEOS)/$$(head -n 1 $(VIDEOS)/test.txt | sed 's/ [0-9]*$$//')

# Where `make install` puts the program and what belongs to it.
PREFIX ?= /usr/local

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help packages build install deb demo test fuzz vocabulary pocket clean

help: ## This list.
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

packages:
	@.ci/install-packages

build: packages ## The program, optimized: .build/release/vifi-prompt.
	swift build -c release --product vifi-prompt

install: packages ## The program with recipes, manual pages and completions; runs without Swift. Under PREFIX, /usr/local by default.
	@.ci/install "$(PREFIX)"

deb: packages ## A Debian package and an archive of the program, in .build/packages; .ci/check-package tries it on a bare Debian.
	@.ci/install-packages dpkg-dev
	@.ci/package

demo: build ## Both stages on the built-in pocket world: bridge, learn from 2 clips a class, evaluate, predict.
	$(VIFI) bridge
	$(VIFI) learn --shots 2
	$(VIFI) eval
	$(VIFI) export --output $(PROMPTS) --force
	$(VIFI) predict "$(CLIP)" --prompts $(PROMPTS)
	@$(VIFI) demo report

test: ## All tests, optimized. `make test FILTER=Tokenizer` runs some.
	@.ci/install-packages chromium mosquitto mosquitto-clients
	@.ci/test "$(FILTER)"

fuzz: packages ## Every parser against mutated inputs, ten minutes in all; `make fuzz MINUTES=60` takes longer.
	swift build -c release --product vifi-fuzz
	@set -e; fuzz=.build/release/vifi-fuzz; \
	names=$$($$fuzz | sed 's/.* one of //; s/,//g'); count=$$(wc -w <<<"$$names"); \
	for name in $$names; do $$fuzz $$name $$(( $(or $(MINUTES),10) * 60 / count )) $$(date +%s); done

vocabulary: packages ## CLIP's vocabulary, needed for real CLIP weights: Checkpoints/vocabulary.
	@.ci/fetch-vocabulary

pocket: build ## Trains what Checkpoints holds anew and measures the results table. About 45 minutes on 2 cores.
	$(VIFI) demo pretrain --output Checkpoints/pocket-clip.safetensors
	rm -rf runs/pocket
	$(VIFI) bridge --half --name pocket-bridged --output runs/pocket/bridge
	cp runs/pocket/bridge/backbone.safetensors Checkpoints/pocket-bridged.safetensors
	$(VIFI) demo table --runs runs/pocket/table --output Checkpoints/pocket-results.csv

clean: ## Removes what was built. Runs, checkpoints and videos stay.
	swift package clean
