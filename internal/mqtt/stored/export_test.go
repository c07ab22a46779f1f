package stored

// Waiting returns how many changes wait to be written.
func (k *Sessions) Waiting() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.waiting)
}
