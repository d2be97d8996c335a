package hit

func aboveWords(marks []uint64, adu []int16, limit int16) { aboveGo(marks, adu, limit) }
