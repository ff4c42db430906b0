#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A bounded queue between threads whose reader may block: `pthread_mutex_t` and `pthread_cond_t`.
///
/// For the threads that do blocking work (storage); event loops have their own way of being woken.
// Safe to share: every access to `elements` and `isClosed` happens with the mutex held.
package final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var elements: [Element] = []
    private var isClosed = false
    private let limit: Int

    /// - Parameter limit: how many elements may wait; the sender is refused beyond.
    package init(limit: Int) {
        self.limit = limit
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Adds an element, waking the reader.
    /// - Returns: false if the queue is full or closed.
    @discardableResult
    package func send(_ element: Element) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard !isClosed, elements.count < limit else { return false }
        elements.append(element)
        pthread_cond_signal(condition)
        return true
    }

    /// Lets the reader finish what is queued and then see the end.
    package func close() {
        pthread_mutex_lock(mutex)
        isClosed = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Takes everything queued, waiting for something if there is nothing.
    /// - Returns: an empty array once the queue is closed and empty.
    package func receive() -> [Element] {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while elements.isEmpty, !isClosed { pthread_cond_wait(condition, mutex) }
        defer { elements = [] }
        return elements
    }
}
