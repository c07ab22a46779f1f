package main

import (
	"muster/internal/config"
	"muster/internal/mqtt"
	"muster/internal/topic"
)

// limits returns what devices may do, as far as it is a setting.
func limits(c config.Config) mqtt.Limits {
	return mqtt.Limits{
		SessionExpiry:    c.MQTTSessionExpiry,
		PublishRate:      float64(c.MQTTPublishRate),
		QueueMessages:    int(c.MQTTQueueMessages),
		QueueBytes:       int(c.MQTTQueueBytes),
		RetainedMessages: int(c.MQTTRetainedMessages),
		RetainedBytes:    int(c.MQTTRetainedBytes),
		Subscriptions:    int(c.MQTTSubscriptions),
		Pending:          int(c.MQTTPending),
	}
}

// whole says which messages tell all that there is to know: notifications, each of
// which is about all jobs that are pending, or about the next one.
func whole(name string) bool {
	t, ok := topic.Parse(name)
	return ok && (t.Kind == topic.Notify || t.Kind == topic.NotifyNext)
}
