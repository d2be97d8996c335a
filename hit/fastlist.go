package hit

// list has values of bins that are added one by one.
type list struct {
	others []other
	first  []int32 // of each bin in others, -1 where there is none
}

type other struct{ value, next, bin int32 }

func newList(bins int) list {
	l := list{first: make([]int32, bins)}
	for b := range l.first {
		l.first[b] = -1
	}
	return l
}

func (l *list) add(bin int, value int32) {
	l.others = append(l.others, other{value, l.first[bin], int32(bin)})
	l.first[bin] = int32(len(l.others) - 1)
}

// sum adds the values of a bin that are within bounds.
func (l *list) sum(bin int, b Bounds, s *Sums) {
	for at := l.first[bin]; at >= 0; at = l.others[at].next {
		if v := l.others[at].value; v > b.Lo && v < b.Hi {
			s.add(v)
		}
	}
}

func (l *list) empty() {
	for _, o := range l.others {
		l.first[o.bin] = -1
	}
	l.others = l.others[:0]
}
