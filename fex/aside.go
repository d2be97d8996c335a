package fex

// missingAside gives the next script while there are not enough children of it; g.mu is held.
func (s *spares) missingAside() *script {
	if s.g.next == nil || len(s.aside) >= s.g.serving {
		return nil
	}
	return s.g.next
}

// promoteAside makes the children of the next script, which is the present one from now on, those that workers take first;
// g.mu is held.
func (s *spares) promoteAside() {
	s.owed = s.g.serving
	s.warm, s.aside = append(s.aside, s.warm...), nil
	s.edition = s.g.script.edition // the next script has taken the Configure that holds
}

// discard lets the children of the next script go; g.mu is held.
func (s *spares) discard() {
	s.useless, s.aside = append(s.useless, s.aside...), nil
}

// endUseless ends children that nobody wants any more, also those that workers have left over.
func (s *spares) endUseless() {
	s.g.mu.Lock()
	useless := s.useless
	s.useless = nil
	if keep := s.wanted + s.owed; len(s.warm) > keep && !s.closed {
		useless = append(useless, s.warm[keep:]...)
		s.warm = s.warm[:keep]
	}
	s.g.mu.Unlock()
	for _, c := range useless {
		end(c.p)
	}
}
