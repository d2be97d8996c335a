package xtc

import (
	"strconv"
	"strings"
)

// Damage is the set of damage bits of one Xtc: bits 0-11 have a meaning each, bits 12-15 belong to the user.
type Damage uint16

const (
	DamageTruncated           Damage = 1 << 0
	DamageOutOfOrder          Damage = 1 << 1
	DamageOutOfSynch          Damage = 1 << 2
	DamageCorrupted           Damage = 1 << 3 // readers do not look into a container with this bit
	DamageDroppedContribution Damage = 1 << 4
	DamageMissingData         Damage = 1 << 5
	DamageTimedOut            Damage = 1 << 6
	DamageUserDefined         Damage = 1 << 12
)

// Has tells whether any of the bits is set.
func (d Damage) Has(bits Damage) bool { return d&bits != 0 }

// String joins the names of the bits as LCLS spells them, "Truncated|UserDefined"; it is empty without damage.
func (d Damage) String() string {
	var parts []string
	for bit := range 16 {
		if d&(1<<bit) != 0 {
			parts = append(parts, damageBitName(bit))
		}
	}
	return strings.Join(parts, "|")
}

func damageBitName(bit int) string {
	names := [...]string{0: "Truncated", 1: "OutOfOrder", 2: "OutOfSynch", 3: "Corrupted", 4: "DroppedContribution",
		5: "MissingData", 6: "TimedOut", 12: "UserDefined"}
	if bit < len(names) && names[bit] != "" {
		return names[bit]
	}
	return "bit" + strconv.Itoa(bit)
}
