package engine

// TellOneByOne makes the outbox tell one thing after another, so that tests can
// say what happens between two.
func (e *Engine) TellOneByOne() { e.tellers = 1 }
