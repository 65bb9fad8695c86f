#pragma once

#include <poll.h>
#include <systemd/sd-bus.h>
