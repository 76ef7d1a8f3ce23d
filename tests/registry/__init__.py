"""What every schema registry must do, pinned ids and Apicurio alike."""
