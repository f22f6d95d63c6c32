/* All of libreeve's public interface. */
#pragma once

#include "reeve/address.h"
#include "reeve/drop.h"
#include "reeve/host.h"
#include "reeve/packet.h"
#include "reeve/tcp.h"
#include "reeve/time.h"
#include "reeve/udp.h"
