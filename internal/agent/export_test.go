package agent

import "os"

// Replay returns how many bytes of a journal are good.
func Replay(data []byte) int {
	var s state
	return s.replay(data)
}

// JournalOf returns an agent's journal, which is open while it runs.
func JournalOf(a *Agent) *Journal { return a.journal }

// Journal is the journal, for tests that break it.
type Journal = journal

// Break makes writing fail until the function that it returns is called.
func (j *journal) Break() (repair func(), err error) {
	good := j.file
	j.file, err = os.Open(good.Name()) // for reading
	return func() {
		_ = j.file.Close()
		j.file = good
	}, err
}

// CompactAt is when a journal is written anew, in bytes.
const CompactAt = compactAt

// KeepEnded is how many executions are remembered.
const KeepEnded = keepEnded
