/// What both programs assume where the environment sets nothing else.
package enum Defaults {
    package static let redisURL = "redis://127.0.0.1:6379/0"
    package static let queueKey = "enhancement:queue"
}
