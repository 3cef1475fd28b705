# SPDX-License-Identifier: Apache-2.0
# Thin: CMake does the work. Each target does its own set-up on a fresh Debian 12.
#   make            the program at build/resnet, and the library
#   make demo       the paper's experiments, live, with a report        (DATA=cifar10:DIR)
#   make static     the program without shared libraries, at build/static/resnet, under 2 MB
#   make test       all tests, with both compilers and the sanitizers
#   make install    PREFIX=/usr/local DESTDIR=
#   make clean

PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: all demo static test install clean

all:
	@scripts/setup.sh build
	@cmake -S . -B build -DCMAKE_BUILD_TYPE=Release \
	  -DCMAKE_INSTALL_PREFIX='$(PREFIX)' --log-level=WARNING
	@cmake --build build --parallel $$(nproc) --target resnet resnet_shared resnet_static

demo: all
	@scripts/setup.sh demo
	@scripts/demo.sh

static:
	@scripts/setup.sh build static
	@cmake -S . -B build/static -DCMAKE_C_COMPILER=musl-gcc -DRESNET_STATIC=ON \
	  -DBUILD_TESTING=OFF --log-level=WARNING
	@cmake --build build/static --parallel $$(nproc) --target resnet
	@strip build/static/resnet

test:
	@scripts/setup.sh build static test
	@scripts/test.sh

install: all
	@DESTDIR='$(DESTDIR)' cmake --install build

clean:
	rm -rf build
