mock_data "oci_objectstorage_namespace" {
  defaults = {
    namespace = "octonamespace"
  }
}

mock_data "oci_core_services" {
  defaults = {
    services = [{
      id          = "ocid1.service.oc1..all"
      name        = "All FRA Services In Oracle Services Network"
      description = "All FRA Services In Oracle Services Network"
      cidr_block  = "all-fra-services-in-oracle-services-network"
    }]
  }
}

mock_data "oci_psql_db_system_connection_detail" {
  defaults = {
    primary_db_endpoint = [{
      fqdn = "primary.example.postgresql.eu-frankfurt-1.oci.oraclecloud.com"
      port = 5432
    }]
  }
}
