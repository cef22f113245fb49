/// The profiles that this program has, as the tenants file would have them.
///
/// The shapes are those of ManageEngine ServiceDesk Plus: what its webhooks' templates can express, and the two files that
/// it gives to scripts.
package enum ShippedProfiles {
    package static let texts = [onPremisesTemplate, cloudTemplate, v1, v3, generic]

    /// `"priority":{"path":…,"map":…}` without its path.
    private static let priorities = """
        "map": {"Low": "low", "Normal": "medium", "Medium": "medium", "High": "high", "Urgent": "critical",
            "Critical": "critical"}, "default": "medium"
        """

    /// A webhook whose template has exactly these keys.
    private static func template(_ id: String) -> String {
        """
        {"id": "\(id)",
         "keys": ["subject", "request_id", "description", "status", "priority"],
         "fields": {
          "event": {"value": "ticket_changed"},
          "ticket_id": {"path": "request_id"},
          "description": {"path": "description", "html": true, "too_long": "cut", "otherwise": {"path": "subject"}},
          "priority": {"path": "priority", \(priorities)},
          "created_at": {"time": "received"}}}
        """
    }

    private static let onPremisesTemplate = template("sdp-onpremises-template")
    private static let cloudTemplate = template("sdp-cloud-template")

    /// `$COMPLETE_JSON_FILE`, and the values of the API version 1, which has no object around them.
    private static let v1 = """
        {"id": "sdp-v1",
         "fields": {
          "event": {"value": "ticket_changed"},
          "ticket_id": {"path": ["request.WORKORDERID", "WORKORDERID"]},
          "description": {"path": ["request.DESCRIPTION", "DESCRIPTION"], "html": true, "too_long": "cut",
           "otherwise": {"path": ["request.SHORTDESCRIPTION", "SHORTDESCRIPTION"], "too_long": "cut",
            "otherwise": {"path": ["request.SUBJECT", "SUBJECT"]}}},
          "priority": {"path": ["request.PRIORITY", "PRIORITY"], \(priorities)},
          "created_at": {"path": ["request.CREATEDTIME", "CREATEDTIME"], "time": "epoch_milliseconds",
           "otherwise": {"time": "received"}}}}
        """

    /// `$COMPLETE_V3_JSON_FILE`, a request of the API version 3, and the file of a change.
    private static let v3 = """
        {"id": "sdp-v3",
         "fields": {
          "event": {"value": "ticket_changed"},
          "ticket_id": {"path": ["request.id", "id", "INPUT_DATA.entity_data.id"]},
          "description": {
           "path": ["request.description", "description", "INPUT_DATA.entity_data.description"], "html": true,
           "too_long": "cut",
           "otherwise": {"path": ["request.subject", "subject", "INPUT_DATA.entity_data.title"]}},
          "priority": {
           "path": ["request.priority.name", "priority.name", "INPUT_DATA.entity_data.priority.name"], \(priorities)},
          "created_at": {
           "path": ["request.created_time.value", "created_time.value", "INPUT_DATA.entity_data.created_on.value"],
           "time": "epoch_milliseconds", "otherwise": {"time": "received"}}}}
        """

    /// A flat object of a help desk that writes JSON itself.
    private static let generic = """
        {"id": "generic",
         "fields": {
          "event": {"path": "event", "otherwise": {"value": "ticket_changed"}},
          "ticket_id": {"path": ["ticket_id", "id"]},
          "description": {"path": "description", "html": true, "too_long": "cut",
           "otherwise": {"path": ["subject", "title", "summary"]}},
          "priority": {"path": "priority", \(priorities)},
          "created_at": {"path": "created_at", "otherwise": {"time": "received"}},
          "correlation_id": {"path": "correlation_id"}}}
        """
}
