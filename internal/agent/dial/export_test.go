package dial

import "muster/internal/agent"

// MessageBuffer is how many received messages wait for the agent.
const MessageBuffer = messageBuffer

// Waiting returns how many do.
func Waiting(c agent.Conn) int {
	switch c := c.(type) {
	case *conn5:
		return len(c.messages)
	case *conn3:
		return len(c.messages)
	default:
		return 0
	}
}
