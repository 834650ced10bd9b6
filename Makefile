# Convene. `make test` runs every test; what it needs from Debian's packages is
# installed where it is missing. `make soak` runs the long proofs whole.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

.PHONY: build test soak

# One static binary, without cgo.
build:
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o convene ./cmd/convene

test:
	deploy/test/run

soak:
	CONVENE_SOAK=1 deploy/test/run
