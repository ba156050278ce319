# Every target sets up what it needs: .venv is made from the hashed lock on first use.

VENV ?= .venv
PY := $(VENV)/bin/python
# The newest TensorFlow, without tensorflow-io.
LATEST_VENV ?= .venv-latest
INSTALLED := $(VENV)/.installed
# One process per core; the tests of a file share their fixtures, those of a folder with a conftest.py
# too, and tests/conftest.py puts what takes longest first.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder
# What another TensorFlow may compute, read, train or save otherwise. What decides by NumPy or on files
# (reports, manifests, when a training ends, what is counted and fitted around it) is left out.
TESTS_OF_TENSORFLOW := tests/features/test_legacy_keras.py tests/features/records tests/features/ids \
	tests/models/test_*.py tests/models/layers tests/models/evaluation/test_scoring.py \
	tests/models/inputs/test_input_pipeline.py tests/models/inputs/test_candidate_mixing.py \
	$(filter-out %/test_budget.py,$(wildcard tests/models/training/test_*.py)) \
	tests/serving_signatures/test_*.py tests/serving_signatures/export

# What computes otherwise with native kernels; the slow ones too.
TESTS_OF_KERNELS := tests/kernels tests/models/test_model_zoo.py tests/models/layers \
	tests/models/inputs/test_newest_behaviors.py tests/models/training/test_resume.py \
	tests/models/training/test_lazy_adam.py

# Airflow, for the DAG of docker/airflow.
AIRFLOW_VENV := build/airflow

# TensorFlow prints errors about absent GPU libraries when it loads; failures still raise.
export TF_CPP_MIN_LOG_LEVEL ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup setup-latest setup-airflow demo kernels test test-slow test-latest test-kernels \
	test-flink test-spark flink-jars spark-jars engine-jars image test-image test-image-flink test-airflow \
	lint format docs bench lock clean distclean

help:
	@echo 'make demo       join, train, evaluate, export, report -> build/demo (DATA=dir for your own data)'
	@echo 'make test       the tests but those marked slow (PYTEST_ARGS="-x -k join" goes to pytest)'
	@echo 'make test-slow  those marked slow'
	@echo 'make kernels    optional native kernels, by GCC 11 or later -> kernels/lib'
	@echo 'make test-kernels those of the kernels, and of layers, training and export with them'
	@echo 'make test-latest those of models, training and export, on the newest TensorFlow'
	@echo 'make test-flink the join on a local Flink (needs a JDK and Maven, which fetches 150 MB once)'
	@echo 'make test-spark the same on a local Spark (fetches 200 MB once)'
	@echo 'make test-airflow the daily cycle in a real Airflow, in build/airflow'
	@echo 'make image      the worker image, by buildah: as root, without Docker or a registry of images'
	@echo 'make test-image builds and runs it; make test-image-flink runs it as the workers of a Flink'
	@echo 'make lint       format check, lint, spelling, types (make format fixes what can be fixed)'
	@echo 'make docs       the site -> build/site; strictly: fails on a broken link or a stale figure'
	@echo 'make bench      benchmarks'
	@echo 'make lock       compile requirements/*.lock from setup.py (LOCK_ARGS=--upgrade to move)'
	@echo 'make clean      remove outputs and caches (make distclean: the environments as well)'

setup: $(INSTALLED)

$(INSTALLED): requirements/dev.lock requirements/bootstrap.lock requirements/setup_venv.sh
	@sh requirements/setup_venv.sh $(VENV) requirements/dev.lock
	@# The jobs run in any folder. A path and no editable install: that one loses to a folder
	@# of the user's that is called models.
	@$(PY) -c "import site; print('$(CURDIR)', file=open(site.getsitepackages()[0] + '/dmf_ctr.pth', 'w'))"
	@touch $@

demo: $(INSTALLED)
	$(PY) -m pipeline.run --config demo --output build/demo $(if $(DATA),--set data.source=$(DATA))

kernels: $(INSTALLED)
	@$(PY) -m kernels.build

test: $(INSTALLED)
	$(PY) -m pytest -m 'not slow' $(PYTEST_ARGS)

test-slow: $(INSTALLED)
	$(PY) -m pytest -m slow $(PYTEST_ARGS)

test-latest: $(LATEST_VENV)/.installed
	$(LATEST_VENV)/bin/python -m pytest -m 'not slow' $(TESTS_OF_TENSORFLOW) $(PYTEST_ARGS)

test-kernels: export DMF_KERNELS := on
test-kernels: kernels
	REQUIRE_KERNELS=1 $(PY) -m pytest $(TESTS_OF_KERNELS) $(PYTEST_ARGS)

setup-latest: $(LATEST_VENV)/.installed

$(LATEST_VENV)/.installed: requirements/latest.lock requirements/bootstrap.lock requirements/setup_venv.sh
	@sh requirements/setup_venv.sh $(LATEST_VENV) requirements/latest.lock
	@$(LATEST_VENV)/bin/python -m pip --disable-pip-version-check check
	@touch $@

test-flink test-spark: test-%: $(INSTALLED) %-jars
	REQUIRE_ENGINES=1 $(PY) -m pytest -m $* tests/pipeline/test_$*.py

# Beam's job servers and what they need.
flink-jars spark-jars: %-jars: build/%/jars/.complete

build/%/jars/.complete: docker/%/pom.xml
	rm -rf $(@D)
	mvn --batch-mode --quiet --no-transfer-progress --file $< \
		dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(@D)
	@touch $@

# One after the other: two Mavens at once can damage the repository that they share.
engine-jars:
	$(MAKE) flink-jars
	$(MAKE) spark-jars

test-airflow: $(INSTALLED) setup-airflow
	REQUIRE_AIRFLOW=1 $(PY) -m pytest tests/docker/test_airflow.py

setup-airflow: $(AIRFLOW_VENV)/.installed

$(AIRFLOW_VENV)/.installed: requirements/airflow.lock requirements/bootstrap.lock requirements/setup_venv.sh
	@sh requirements/setup_venv.sh $(AIRFLOW_VENV) requirements/airflow.lock
	@$(AIRFLOW_VENV)/bin/python -m pip --disable-pip-version-check check
	@touch $@

image:
	sh docker/worker/build_without_engine.sh

# What was tested is written down: CI builds the image only where it is another one.
test-image: $(INSTALLED) image
	REQUIRE_IMAGE=1 $(PY) -m pytest -m 'image and not flink' tests/docker
	sh docker/worker/inputs_hash.sh > docker/worker/tested_inputs.txt

test-image-flink: $(INSTALLED) image flink-jars
	REQUIRE_IMAGE=1 REQUIRE_ENGINES=1 $(PY) -m pytest -m 'image and flink' tests/docker

lint: $(INSTALLED)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(VENV)/bin/codespell
	$(PY) -m mypy

format: $(INSTALLED)
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

# Material for MkDocs prints where its successor is, unless this is set.
docs: export NO_MKDOCS_2_WARNING := 1
docs: $(INSTALLED)
	$(PY) -m docs_build --check
	$(PY) -m mkdocs build

bench: $(INSTALLED)
	$(PY) -m benchmarks.attention
	$(PY) -m benchmarks.training
	$(PY) -m benchmarks.serving

lock: $(INSTALLED)
	sh requirements/lock.sh $(VENV)/bin/uv $(LOCK_ARGS)

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -not -path './$(LATEST_VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) $(LATEST_VENV)
