package chaos

import "slices"

// catalogue is the whole of it. What the pipeline does not have yet is listed, so that nobody takes it for tested.
var catalogue = slices.Concat(killRows, hangRows, calibRows, misbehaviourRows, resultRows, memoryRows, parentRows, diskRows, inputRows, systemRows, loadRows,
	gpuRows, tebRows, monitorRows, settingsRows)
