import Delivery
import FastCGI

/// What happens beside the requests: each is counted and logged.
extension Responder {
    mutating func note(_ failures: [AcceptFailure]) {
        for failure in failures {
            logAccept(failure)
            switch failure {
            case .exhausted: metrics.add(.acceptFailures)
            case .refused: metrics.add(.refusedConnections)
            case .dead:
                hasFailed = true
                stop()
            }
        }
    }

    mutating func note(_ drop: DropReason) {
        metrics.count(drop)
        logDrop(drop)
    }

    mutating func noteQueueEvents() {
        for event in queue.takeEvents() {
            switch event {
            case .connected(let isFirst, _): if isFirst { startFormatCheck() } else { metrics.add(.reconnects) }
            case .lost: metrics.add(.connectionsLost)
            case .dialFailed, .breakerOpened, .breakerClosed, .redirected, .lengthRefused: break
            }
            logQueue(event)
        }
    }
}
