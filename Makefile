# The ways into this project; `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
VENV   := $(CURDIR)/.venv
PY     := $(VENV)/bin/python
STAMPS := $(VENV)/.stamps
LOGS   := $(VENV)/log
LOGGED := scripts/logged.sh

# What the caller has sourced or set must not reach into this environment: another ROS
# distribution, a conda environment, a PYTHONPATH.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV _ROS_WHEELS_BOOTSTRAP_COMPLETE
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH COLCON_DEFAULTS_FILE
unexport AMENT_CURRENT_PREFIX ROS_DISTRO ROS_VERSION ROS_PYTHON_VERSION ROS_PACKAGE_PATH
unexport RMW_IMPLEMENTATION PIP_USER PIP_TARGET PIP_PREFIX PYTEST_ADDOPTS PYTEST_PLUGINS
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Keep libraries of the user's own (a GPU's, say), drop those of a sourced ROS installation.
ROS_PREFIXES := /opt/ros $(subst :, ,$(AMENT_PREFIX_PATH) $(COLCON_PREFIX_PATH))
empty :=
space := $(empty) $(empty)
export LD_LIBRARY_PATH := $(subst $(space),:,$(strip $(filter-out \
    $(addsuffix /%,$(ROS_PREFIXES)),$(subst :, ,$(LD_LIBRARY_PATH)))))

# demo's settings; empty ones are left to `rejshand demo`.
INPUT ?=
HAND ?=
SIDE ?=
MIRROR ?=
HEADLESS ?=
OUT ?=
NAME ?=
ARGS ?=
off := 0 no No NO false False FALSE off Off OFF
on = $(filter-out $(off),$(1))
DEMO_ARGUMENTS = $(if $(INPUT),--input '$(INPUT)') $(if $(HAND),--hand '$(HAND)') \
    $(if $(SIDE),--side '$(SIDE)') $(if $(call on,$(MIRROR)),--mirror) \
    $(if $(call on,$(HEADLESS)),--headless) $(if $(OUT),--out '$(OUT)') $(ARGS)

# A mistyped setting would be passed over in silence otherwise. A name with an underscore is an
# environment variable of some tool (ROS_DOMAIN_ID, PIP_INDEX_URL): make hands it on.
SETTINGS := INPUT HAND SIDE MIRROR HEADLESS OUT NAME ARGS PYTHON
given := $(foreach name,$(.VARIABLES),$(if $(findstring command,$(origin $(name))),$(name)))
unknown := $(foreach name,$(filter-out $(SETTINGS) CC CXX SHELL VENV MAKEFLAGS,$(given)),\
    $(if $(findstring _,$(name)),,$(name)))
$(if $(strip $(unknown)),$(error no setting of that name: $(strip $(unknown)); \
    valid: $(SETTINGS)))

# torch runs the network where there is an NVIDIA GPU; elsewhere nothing of it is installed.
GPU := $(wildcard /proc/driver/nvidia/version /dev/nvidiactl)

PIP_INSTALL = $(PY) -m pip install --retries 3 --no-input
MESSAGE_SOURCES := $(wildcard rejshand_msgs/msg/*.msg rejshand_msgs/srv/*.srv) \
    rejshand_msgs/CMakeLists.txt rejshand_msgs/package.xml $(wildcard underlay/tf2_msgs/*/*.msg)
PACKAGE_SOURCES := setup.py setup.cfg package.xml colcon_defaults.yaml $(wildcard launch/*.py)
# Apart from build/ and install/, which may hold what was built for a ROS installation.
COLCON := $(VENV)/colcon
# tf2_msgs is not in the package index: it is built here unless the environment has it after all.
UNDERLAY = $(if $(wildcard $(VENV)/share/tf2_msgs/package.xml),,underlay/tf2_msgs)
COLCON_BUILD = $(PY) -m colcon --log-base $(LOGS)/colcon build --build-base $(COLCON)/build \
    --install-base $(COLCON)/install --base-paths . rejshand_msgs $(UNDERLAY) --cmake-args \
    -DBUILD_TESTING=OFF -DCMAKE_BUILD_TYPE=Release -DPython3_EXECUTABLE=$(PY) \
    -DCMAKE_PREFIX_PATH=$(VENV)

# An environment of its own: its pins clash with this project's (requirements/lerobot.in).
LEROBOT := $(CURDIR)/.venvs/lerobot

.PHONY: help demo test bench lint format install messages lerobot-environment clean distclean

help:
	@echo "make demo       install what is missing and run the chain on a clip rendered here"
	@echo "                INPUT=clip.mp4|/dev/video0  HAND=allegro|shadow  SIDE=right|left|both"
	@echo "                MIRROR=1  HEADLESS=1  OUT=out/demo"
	@echo "make test       install torch and the test tools as well and run every test (ARGS='-k crop')"
	@echo "make bench      run every benchmark, or one: NAME=accuracy; figures in out/bench/"
	@echo "make lint       ruff and mypy;  make format: ruff format"
	@echo "make install    demo's installation alone;  make messages: build rejshand_msgs anew"
	@echo "make lerobot-environment    .venvs/lerobot, where tests open data sets with lerobot's loader"
	@echo "make clean      remove what was built and written;  make distclean: .venv as well"
	@echo "PYTHON=python3.12 chooses the Python that .venv is made with (default: python3)"

demo: install $(if $(INPUT),,$(STAMPS)/clip)
	@exec $(PY) -m rejshand_ros.cli demo $(DEMO_ARGUMENTS)

# The demo's installation first: what it compiles must need nothing that only the tests install.
test: install $(STAMPS)/dev
	@exec $(PY) -m pytest $(ARGS)

bench: $(STAMPS)/training install
	@exec $(PY) -m benchmarks $(NAME)

lint: $(STAMPS)/dev
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

format: $(STAMPS)/dev
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

install: $(STAMPS)/core $(STAMPS)/build $(STAMPS)/compiled $(if $(GPU),$(STAMPS)/training)

messages:
	@rm -rf $(STAMPS)/build $(COLCON)
	@$(MAKE) --no-print-directory $(STAMPS)/build

$(STAMPS)/venv:
	@$(PY) -m pip --version >/dev/null 2>&1 || { sh scripts/prerequisites.sh "$(PYTHON)" && \
	    $(LOGGED) "making .venv" out/install/venv.log "$(PYTHON)" -m venv "$(VENV)"; }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/core: requirements/ros.txt requirements/core.txt scripts/mend_ros_wheels.py \
    scripts/checkout_environment.py scripts/trim_environment.py | $(STAMPS)/venv
	@$(LOGGED) "installing ROS 2 and the chain's libraries" $(LOGS)/core.log \
	    $(PIP_INSTALL) -r requirements/ros.txt -r requirements/core.txt
	@$(PY) scripts/mend_ros_wheels.py && $(PY) scripts/checkout_environment.py
	@$(LOGGED) "removing what no run needs" $(LOGS)/trim.log $(PY) scripts/trim_environment.py
	@touch $@

$(STAMPS)/build: $(STAMPS)/core $(MESSAGE_SOURCES) $(PACKAGE_SOURCES)
	@sh scripts/prerequisites.sh "$(PY)"
	@$(LOGGED) "building the messages and the package" $(LOGS)/build.log $(COLCON_BUILD)
	@touch $@

COMPILED = rejshand_ros/compiled_geometry.py $(wildcard $(addsuffix /*.py,$(addprefix rejshand_ros/,hand retargeting tracking)))
$(STAMPS)/compiled: $(COMPILED) | $(STAMPS)/core
	@$(LOGGED) "compiling the solver and the filters" $(LOGS)/compiled.log $(PY) -m rejshand_ros.demo.warm_up
	@touch $@

# The clips lie in the user's cache; where they are gone the demo renders them again.
$(STAMPS)/clip: | $(STAMPS)/core
	@$(LOGGED) "rendering the demo's clips" $(LOGS)/clip.log $(PY) -m rejshand_ros.demo.clip
	@touch $@

$(STAMPS)/training: requirements/training.txt requirements/export.txt \
    scripts/install_one_by_one.py | $(STAMPS)/core
	@$(LOGGED) "installing torch and the export's libraries" $(LOGS)/training.log \
	    $(PY) scripts/install_one_by_one.py requirements/training.txt requirements/export.txt
	@$(LOGGED) "removing what no run needs" $(LOGS)/trim.log $(PY) scripts/trim_environment.py
	@touch $@

$(STAMPS)/dev: requirements/dev.txt | $(STAMPS)/training
	@$(LOGGED) "installing the test tools" $(LOGS)/dev.log $(PIP_INSTALL) -r requirements/dev.txt
	@touch $@

lerobot-environment: $(LEROBOT)/.complete

$(LEROBOT)/.complete: requirements/lerobot.txt | $(STAMPS)/venv
	@$(LOGGED) "making lerobot's environment" $(LOGS)/lerobot_venv.log $(PY) -m venv "$(LEROBOT)"
	@$(LOGGED) "installing what lerobot's data sets need" $(LOGS)/lerobot_needs.log \
	    "$(LEROBOT)/bin/python" -m pip install --retries 3 --no-input -r requirements/lerobot.txt
	@$(LOGGED) "installing lerobot" $(LOGS)/lerobot.log \
	    "$(LEROBOT)/bin/python" -m pip install --retries 3 --no-input --no-deps lerobot==0.4.4
	@touch $@

clean:
	@rm -rf build install log out .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	@rm -rf $(STAMPS)/build $(COLCON)
	@find . -path ./.venv -prune -o -path ./.venvs -prune -o -name __pycache__ -type d \
	    -exec rm -rf {} +

distclean: clean
	@rm -rf .venv
