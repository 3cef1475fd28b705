// SPDX-License-Identifier: Apache-2.0
// From what a campaign measured to what the report shows: verdicts, charts, tables, runs.
#ifndef PROGRAM_FINDINGS_H
#define PROGRAM_FINDINGS_H

#include "paper/campaign.h"
#include "paper/keep.h"
#include "paper/report.h"

// Judges and presents one experiment of a measured campaign. *out lives as long as the keep and the
// campaign.
resnet_status finding_make(const Campaign *campaign, const Experiment *experiment, Keep *keep,
                           Finding *out);

#endif
